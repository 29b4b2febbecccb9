"""StreamingBench: annotations, scores computed by hand, and the authors' predictions."""

from __future__ import annotations

import json
from pathlib import Path

import eval_rig as rig
import pytest
from eval_rig import figures, items_of
from eval_samples import PROACTIVE, sb_entry, sb_question

from aura_core.errors import InputError
from aura_core.evaluation.records import Poll, Prediction, Spoken
from aura_core.evaluation.tasks import streamingbench
from aura_core.types import Kind


@pytest.fixture
def streamingbench_data(tmp_path: Path) -> Path:
    rig.write(
        tmp_path / "questions_real.json",
        [
            sb_entry("./videos/a.mp4", sb_question("00:00:03", "B")),
            sb_entry("./videos/a.mp4", sb_question("00:05", "C")),
        ],
    )
    sqa = "Sequential Question Answering"
    rig.write(
        tmp_path / "questions_sqa.json",
        [
            [
                sb_entry(
                    "./videos/s.mp4", sb_question("00:00:03", "A", sqa, ["1.", "2.", "3.", "4."])
                ),
                sb_entry("./videos/s.mp4", sb_question("00:00:09", "D", sqa)),
            ]
        ],
    )
    rig.write(tmp_path / "questions_proactive.json", [sb_entry("./videos/p.mp4", PROACTIVE)])
    return tmp_path


def test_streamingbench_items(streamingbench_data):
    real, sqa, proactive = items_of("streamingbench", streamingbench_data)
    assert real.id == "real/./videos/a.mp4" and real.videos[0] == "videos/a.mp4" and real.end_s == 6
    first, second = real.questions
    assert (first.at_s, second.at_s, first.truth, second.truth) == (3, 5, "B", "C")
    assert (
        first.text == "How many at 00:00:03?\nOptions:\nA. one\nB. two\nC. three\nD. four\n"
        "Reply with the letter of the right option and nothing else."
    )
    assert first.polled == second.polled == ""
    # polled, the sequential part is told what was asked before, with the true answers
    assert sqa.questions[0].polled == "" and sqa.questions[0].text.count("A. 1.\nB. 2.") == 1
    told = sqa.questions[1].polled
    assert (
        told.startswith("At 00:00:03 somebody asked: How many at 00:00:03?")
        and "The right answer was A." in told
    )
    assert told.endswith(sqa.questions[1].text) and "somebody asked" not in sqa.questions[1].text
    (q,) = proactive.questions
    assert (q.kind, q.poll) == (
        Kind.PROACTIVE,
        Poll(f'{q.text}\nIs this the moment to say "3"? Answer yes or no.', 10),
    )
    assert (q.due[0].at_s, q.due[0].start_s, q.due[0].end_s, proactive.end_s) == (6, 4, 8, 10)


@pytest.mark.parametrize(
    ("options", "letters"),
    [
        (["x", "y", "z", "w"], ["A. x", "B. y", "C. z", "D. w"]),
        (["2.", "6.", "7.", "4."], ["A. 2.", "B. 6.", "C. 7.", "D. 4."]),
        (["A. x", "B. y", "B. z", "D. w"], ["A. x", "B. y", "C. z", "D. w"]),  # a label twice
        (["A.x", "y", "z", "w"], ["A. x", "B. y", "C. z", "D. w"]),  # one label for all
        # no label
        (
            ["A.M. news", "P.M. news", "both", "none"],
            ["A. A.M. news", "B. P.M. news", "C. both", "D. none"],
        ),
        # torn
        (
            ["A. x", "", "B. y", "C. z", "the rest", "D. w"],
            ["A. x", "B. y", "C. z, the rest", "D. w"],
        ),
        (["A. x", "B. y", "C. z", "D. w", "E. ."], ["A. x", "B. y", "C. z", "D. w"]),
        # each label twice
        (["A. A.x", "B.  B. y", "C.C. z", "D. D.D. w"], ["A. x", "B. y", "C. z", "D. w"]),
        # in another order: the answer is the letter, not the place
        (["A. x", "C. z", "B. y", "D. w"], ["A. x", "B. y", "C. z", "D. w"]),
    ],
)
def test_streamingbench_options_as_the_files_have_them(options, letters):
    assert streamingbench.lettered(options) == letters


@pytest.mark.parametrize(
    ("options", "texts"),
    [
        (["A. L and T.", "B. L and P.", "C. KFC.", "D. the U.S. team"], None),
        (["A. P. Moore.", "B. E.T. Baker.", "C. W.Green.", "D. B. Stone, J. Wood"], None),
        (["A. 1.2V.", "B. A+B.", "C. AT&T.", "D. plan B."], None),
        # one label for all; an initial that can be no label
        (
            ["A.Dupont.", "Li Q.R.", "J. Smith", "Ou L."],
            ["Dupont.", "Li Q.R.", "J. Smith", "Ou L."],
        ),
        # torn before an initial
        (
            ["A. x", "B. y by K. Lee", "M. Roe", "C. z", "D. w"],
            ["x", "y by K. Lee, M. Roe", "z", "w"],
        ),
        (["L and T.", "B.", "KFC.", "Z.D."], ["L and T.", "B.", "KFC.", "Z.D."]),  # no label at all
    ],
)
def test_only_the_label_at_the_start_is_taken_off_an_option(options, texts):
    """Regression: every capital letter before a dot was taken out of an option, so that "A. L and
    T." became "L and ".
    """
    texts = texts or [o[3:] for o in options]
    assert streamingbench.lettered(options) == [
        f"{letter}. {text}" for letter, text in zip("ABCD", texts, strict=True)
    ]


def test_streamingbench_scores(streamingbench_data):
    items = items_of("streamingbench", streamingbench_data)
    real = Prediction(
        items[0].id, (Spoken(3, " B. two", "0", True), Spoken(5, "The answer is C", "1", True)), 6
    )
    sqa = Prediction(items[1].id, (Spoken(3, "A", "0", True),), 9)  # nothing to the second: wrong
    pro = rig.said(items[2].id, (2, "okay"))
    late = Prediction(items[2].id, (*pro.said, Spoken(8, "It is 3 now", "0")))
    assert figures("streamingbench", items, real, sqa, late) == {
        "Counting": (0.5, 2),
        "Sequential Question Answering": (0.5, 2),
        "Proactive Output": (1.0, 1),
        "Proactive Output (time alone)": (1.0, 1),
        "part real": (0.5, 2),
        "part sqa": (0.5, 2),
        "part proactive": (1.0, 1),
        "overall": (0.6, 5),
    }
    for words, time, right in ((Spoken(8, "now", "0"), 1.0, 0.0), (Spoken(9, "3", "0"), 0.0, 0.0)):
        f = figures("streamingbench", items, Prediction(items[2].id, (*pro.said, words)))
        assert f["Proactive Output (time alone)"] == (time, 1) and f["Proactive Output"] == (
            right,
            1,
        )
    # an acknowledgment is no answer
    assert figures("streamingbench", items, pro)["overall"] == (0.0, 1)


def test_streamingbench_published(streamingbench_data, tmp_path):
    items = items_of("streamingbench", streamingbench_data)
    answered = json.loads((tmp_path / "questions_real.json").read_text())
    answered[0]["questions"][0]["ModelX"] = "B"
    path = rig.write(tmp_path / "out.json", answered)
    (p,) = streamingbench.published(path, items, "")
    assert (p.item, p.said, p.unasked) == (items[0].id, (Spoken(3, "B", "0", True),), ("1",))
    # what has no reply is not counted
    assert figures("streamingbench", items, p)["overall"] == (1.0, 1)
    dialog = [
        {"role": "user", "content": "?", "time": 7},
        {"role": "assistant", "content": "3", "time": 7},
    ]
    pro = [
        sb_entry(
            "./videos/p.mp4", PROACTIVE | {"ModelX": {"answered": 7, "dialog_history": dialog}}
        )
    ]
    (p,) = streamingbench.published(rig.write(tmp_path / "pro.json", pro), items, "ModelX")
    assert p.said == (Spoken(7, "3", "0"),) and figures("streamingbench", items, p)["overall"] == (
        1.0,
        1,
    )
    answered[0]["questions"][0]["ModelY"] = "A"
    with pytest.raises(
        InputError, match="has replies of ModelX, ModelY; choose one with --published"
    ):
        streamingbench.published(rig.write(tmp_path / "two.json", answered), items, "")


def test_streamingbench_outputs_as_the_authors_scripts_leave_them(streamingbench_data, tmp_path):
    """Absolute paths of videos, and one file a part in one folder."""
    items = items_of("streamingbench", streamingbench_data)
    for part in ("real", "sqa", "proactive"):
        data = json.loads((tmp_path / f"questions_{part}.json").read_text())
        for entry in streamingbench._entries(data):
            name = entry["video_path"].removeprefix("./")
            entry["video_path"] = f"/home/them/StreamingBench/src/data/{name}"
            for q in entry["questions"]:
                turn = {"role": "assistant", "content": "3", "time": 7}
                q["MiniCPM-V"] = q.get("answer", {"dialog_history": [turn]})
        rig.write(tmp_path / "outputs" / f"{part}_output_MiniCPM-V.json", data)
    found = streamingbench.published(tmp_path / "outputs", items, "")
    assert [p.item for p in found] == [items[2].id, items[0].id, items[1].id]  # by file name
    assert figures("streamingbench", items, *found)["overall"] == (1.0, 5)
    with pytest.raises(InputError, match="there are no output files"):
        streamingbench.published(rig.write(tmp_path / "no/x", []).parent, items, "")


def test_streamingbench_shows_the_question_without_its_answer(streamingbench_data):
    """Regression: reports showed "The right answer was A" as if the model had been told it."""
    for item in items_of("streamingbench", streamingbench_data):
        assert all("right answer" not in q.shown for q in item.questions)
