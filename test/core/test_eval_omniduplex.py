"""Omni-DuplexEval: reminders in their windows, corrections, and the authors' replies."""

from __future__ import annotations

import eval_rig as rig
import numpy as np
import pytest
from eval_rig import JUDGE, figures, items_of
from eval_samples import REMIND

from aura_core.data.video import ClipWriter
from aura_core.errors import InputError
from aura_core.evaluation.polled import play_polled
from aura_core.evaluation.records import Prediction, Spoken
from aura_core.evaluation.runner import open_video
from aura_core.evaluation.tasks import omniduplex
from aura_core.types import Kind

TOLD = REMIND["question_text"]


@pytest.fixture
def data(tmp_path):
    rig.write(tmp_path / "PR_event_reminder.json", [REMIND])
    fix = {"id": "2", "question_text": "The cup is blue.", "answer1": "red cup", "reminder1": None}
    rig.write(tmp_path / "PR_correction.jsonl", fix)
    return tmp_path


def test_items(data):
    fix, remind = items_of("omniduplex", data)
    (q,) = remind.questions
    assert remind.id == "PR_event_reminder/1" and q.kind is Kind.MULTI_RESPONSE
    assert [(d.start_s, d.end_s) for d in q.due] == [(10.5, 20.5), (30, 40)]
    assert (q.poll.until_s, q.poll.again, remind.end_s) == (40, True, 41)
    assert fix.questions[0].kind is Kind.REAL_TIME and fix.questions[0].due == ()


FIX = {"id": "2", "question_text": "The cup is blue.", "answer1": "a red cup"}


def table(path, listed, videos, rows_of_a_group=1):
    """Write a split as `datasets` does: a file as a struct of bytes and path."""
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    file = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    schema = pa.schema(
        [(name, pa.string()) for name in ("id", "question_text", "answer1", "reminder1")]
        + [("reminder2", pa.float64()), ("video_type", pa.string())]
        + [("video_duration", pa.float64()), ("video", file), ("question_audio", file)]
    )
    sound = {"bytes": b"RIFF", "path": "q.wav"}
    kept = [
        {k: row.get(k) for k in schema.names} | {"video": video, "question_audio": sound}
        for row, video in zip(listed, videos, strict=True)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    made = pa.Table.from_pylist(kept, schema)
    pyarrow.parquet.write_table(made, path, row_group_size=rows_of_a_group)
    return path


@pytest.fixture
def clips(tmp_path):
    """Three short videos that differ in their brightness, as bytes."""
    made = []
    for level in (20, 120, 220):
        writer = ClipWriter(tmp_path / "made.mp4", (64, 64), 18)
        for _ in range(6):
            writer.add(np.full((64, 64, 3), level, np.uint8))
        writer.close()
        made.append((tmp_path / "made.mp4").read_bytes())
    return made


@pytest.mark.parametrize("rows_of_a_group", [1, 2, 3])
def test_the_tables_of_the_release_are_read_and_their_videos_when_they_are_played(
    tmp_path, clips, rows_of_a_group
):
    """The form in which the authors publish: regression, an export by hand was needed."""
    data = tmp_path / "data"
    reminders = [REMIND | {"id": str(k)} for k in range(3)]
    names = ["a.mp4", None, "/there/b.mp4"]
    videos = [{"bytes": c, "path": n} for c, n in zip(clips, names, strict=True)]
    table(
        data / "data" / "PR_event_reminder-00000-of-00001.parquet",
        reminders,
        videos,
        rows_of_a_group,
    )
    table(data / "data" / "PR_correction-00000-of-00001.parquet", [FIX], videos[:1])
    rig.write(data / "PR_post_event_reminder.json", [REMIND])
    fix, *remind, as_json = items_of("omniduplex", data)
    assert [i.id for i in remind] == [f"PR_event_reminder/{k}" for k in range(3)]
    assert (fix.id, as_json.id) == ("PR_correction/2", "PR_post_event_reminder/1")
    assert [i.videos[-1] for i in remind] == ["a.mp4", "1.mp4", "b.mp4"]
    assert [(d.start_s, d.end_s) for d in remind[0].questions[0].due] == [(10.5, 20.5), (30, 40)]
    assert as_json.packed is None
    assert not list(data.rglob("*.mp4"))  # nothing is written before it is played
    for item, level in zip(remind, (20, 120, 220), strict=True):
        for _ in range(2):  # from the table, then from the file
            with open_video(item, data) as source:
                assert abs(float(next(iter(source)).image.mean()) - level) < 12
    written = sorted(str(p.relative_to(data)) for p in data.rglob("*") if "videos" in str(p))
    assert written[2:] == [f"videos/PR_event_reminder/{n}" for n in ("1.mp4", "a.mp4", "b.mp4")]


def test_a_table_has_the_fingerprints_of_the_same_split_as_json(tmp_path, clips):
    video = {"bytes": clips[0], "path": None}
    table(tmp_path / "t" / "PR_event_reminder-00000-of-00001.parquet", [REMIND], [video])
    rig.write(tmp_path / "j" / "PR_event_reminder.json", [REMIND])
    (one,), (other,) = (items_of("omniduplex", tmp_path / d) for d in "tj")
    assert one.fingerprint == other.fingerprint and one.packed and not other.packed


def test_tables_that_cannot_be_used(tmp_path):
    path = tmp_path / "PR_correction-00000-of-00001.parquet"
    path.write_bytes(b"no table")
    with pytest.raises(
        InputError, match=r"PR_correction-00000-of-00001\.parquet: cannot be read as"
    ):
        items_of("omniduplex", tmp_path)
    table(path, [FIX], [{"bytes": None, "path": "gone.mp4"}])
    (item,) = items_of("omniduplex", tmp_path)
    with pytest.raises(InputError, match="row 0 has no video in it, only the name of one"):
        open_video(item, tmp_path)
    table(path, [FIX | {"question_text": None}], [{"bytes": None, "path": "gone.mp4"}])
    with pytest.raises(InputError, match="item 2: field 'question_text' is missing"):
        items_of("omniduplex", tmp_path)
    import pyarrow as pa
    import pyarrow.parquet

    pyarrow.parquet.write_table(pa.table({"id": ["1"]}), path)
    with pytest.raises(InputError, match="the column 'video' is missing"):
        items_of("omniduplex", tmp_path)


def test_scores(data):
    fix, remind = items = items_of("omniduplex", data)
    half = Prediction(remind.id, (Spoken(11, TOLD, "0"), Spoken(29, TOLD, "0")))
    f = figures("omniduplex", items, half, rig.said(fix.id, (1, "No, a red cup.")))
    assert f["PR_event_reminder"] == (0.0, 1) and f["PR_correction"] == (1.0, 1)
    assert f["PR_event_reminder (single reminders)"] == (0.5, 2) and f["total"] == (0.5, 2)
    whole = Prediction(remind.id, (Spoken(20.5, TOLD, "0"), Spoken(30, TOLD, "0")))
    assert figures("omniduplex", items, whole)["PR_event_reminder"] == (1.0, 1)
    # what is said in one window is judged as one text
    parts = tuple(Spoken(t, w, "0") for t, w in ((12, TOLD[:20]), (14, TOLD[20:]), (31, TOLD)))
    scores = omniduplex.score(items, {remind.id: Prediction(remind.id, parts)}, JUDGE)
    assert scores.outcomes[0].said == f"{TOLD[:20].strip()} {TOLD[20:].strip()}"


def test_polled_an_answer_may_come_again(data):
    _, remind = items_of("omniduplex", data)

    def say(moment):
        if moment.question.endswith("yes or no."):
            return "yes" if moment.now.chunk in (11, 31) else "no"
        return TOLD if moment.question else None

    p = play_polled(rig.polled(say), remind, rig.frames([10] * 45))
    assert [s.at_s for s in p.said] == [12, 32]
    assert figures("omniduplex", [remind], p)["PR_event_reminder"] == (1.0, 1)


@pytest.mark.parametrize("split", omniduplex.SPLITS)
def test_polled_a_correction_is_put_when_all_of_the_video_was_seen(tmp_path, split):
    """Regression: it was put at 0 s, so that the run ended there and saw one second of video.

    A row without reminders is judged as a correction, whatever its split.
    """
    row = {"id": "2", "question_text": "The cup is blue.", "answer1": "red cup"}
    rig.write(tmp_path / f"{split}.json", [row | {"video_duration": 20.0}])
    (fix,) = items_of("omniduplex", tmp_path)
    seen = []

    def say(moment):
        seen.append(moment.now.chunk)
        return "No, a red cup." if moment.question and moment.now.brightness > 100 else "Yes."

    p = play_polled(rig.polled(say), fix, rig.frames([10] * 15 + [200] * 5))
    assert p.seconds == 20 and max(seen) == 19
    assert p.said == (Spoken(20, "No, a red cup.", "0", True),)
    assert figures("omniduplex", [fix], p)[split] == (1.0, 1)
    # a video that is shorter than its annotation is asked about all the same, at its own end
    assert play_polled(rig.polled(say), fix, rig.frames([10] * 12)).seconds == 12


def test_the_authors_replies(data, tmp_path):
    items = items_of("omniduplex", data)
    rows = [{"sentence": TOLD, "start": 11}, {"text": TOLD, "current_time": 31}, {"text": " "}]
    rig.write(tmp_path / "out/PR_event_reminder/1.json", {"sentences": rows})
    (p,) = omniduplex.published(tmp_path / "out", items, "")
    assert [s.at_s for s in p.said] == [11, 31]
    assert figures("omniduplex", items, p)["PR_event_reminder"] == (1.0, 1)
    with pytest.raises(InputError, match="no reply"):
        omniduplex.published(rig.write(tmp_path / "no/x", []).parent, items, "")
