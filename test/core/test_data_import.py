"""Files of other projects: JoyAI's annotations and captions become conversations about clips.

What cannot be read is left out with one line that names file, line and field.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from data_rig import aura
from mllm_double import light_video

from aura_core.data.engine import run
from aura_core.data.exchange import captions, joyai
from aura_core.data.exchange.entries import BadEntry, Entry, entries
from aura_core.data.exchange.importing import ImportConfig, Imported, import_files
from aura_core.data.exchange.subtitles import Cue, cues
from aura_core.data.schema import Conversation, Question, Rejection, Sample
from aura_core.data.settings import DataConfig, PrepareConfig, StructureConfig
from aura_core.data.store import StageFolder
from aura_core.data.worker import Job
from aura_core.errors import InputError
from aura_core.types import Kind

SECONDS = 16  # of `light_video`
OKAY = "Okay, I will tell you."


def annotation(video: str, asked: list[Any], said: list[Any]) -> dict[str, Any]:
    """An entry as JoyAI writes it; questions and responses are (words, time)."""
    return {
        "video_name": Path(video).name,
        "video_path": video,
        "task_type": "event_grounding",
        "source": "somewhere",
        "question": [{"content": c, "time": t} for c, t in asked],
        "response": [{"content": c, "time": t} for c, t in said],
    }


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """A folder with the videos a.mp4 and b.mp4, of 16 s."""
    for name, dark in (("a", 20), ("b", 40)):
        light_video(tmp_path / "videos" / f"{name}.mp4", dark)
    return tmp_path / "videos"


def imported(
    tmp_path: Path, videos: Path, file: str, content: Any, **how: Any
) -> tuple[Imported, list[Conversation], list[Rejection]]:
    """Import one file into `tmp_path`/run. `content` is text, or what is written as JSON."""
    path = tmp_path / file
    path.write_text(content if isinstance(content, str) else json.dumps(content, indent=1))
    config = DataConfig(shard_size=1)
    done = import_files(path, videos, tmp_path / "run", ImportConfig(**how), config)
    shards = range(len(done.folder.all_done()))
    talks = [c for i in shards for c in done.folder.read(i, Conversation)]
    left = [r for i in shards for r in done.folder.rejected(i)]
    assert (len(talks), len(left)) == (done.records, sum(done.left.values()))
    return done, talks, left


def brief(q: Question) -> tuple[Any, ...]:
    return (q.kind, q.chunk, q.text, q.acknowledgment, [(a.chunk, a.text) for a in q.answers])


# ---- JoyAI -----------------------------------------------------------------------------------


def test_responses_go_to_the_newest_question_and_tell_its_kind(tmp_path, videos):
    entry = annotation(
        "a.mp4",
        [("Is it dark?", "1"), ("Tell me when it gets bright.", 3), ("Count the changes.", "10.9")],
        [("Yes, it is.", "1"), ("It is bright now.", "8"), ("One.", "12,14")],
    )
    _, (talk,), left = imported(tmp_path, videos, "x.json", [entry])
    assert left == []
    assert [brief(q) for q in talk.questions] == [
        (Kind.REAL_TIME, 1, "Is it dark?", "", [(1, "Yes, it is.")]),
        (Kind.PROACTIVE, 3, "Tell me when it gets bright.", OKAY, [(8, "It is bright now.")]),
        (Kind.MULTI_RESPONSE, 10, "Count the changes.", OKAY, [(12, "One."), (14, "One.")]),
    ]


def test_a_response_in_the_questions_second_is_its_acknowledgment(tmp_path, videos):
    entry = annotation("a.mp4", [("看着灯。", "2")], [("好。", "2"), ("灯亮了。", "8")])
    _, (talk,), _ = imported(tmp_path, videos, "x.json", entry)
    assert brief(talk.questions[0]) == (Kind.PROACTIVE, 2, "看着灯。", "好。", [(8, "灯亮了。")])


def test_an_answer_a_second_late_makes_no_standing_question_and_takes_no_alert(tmp_path, videos):
    """Regression: "What is it?" became multi-response, with the words of the alert, which had
    none.
    """
    entry = annotation(
        "a.mp4",
        [("Tell me when the box is blue.", "1"), ("What is it?", "5")],
        [("A box.", "6"), ("It is blue.", "12")],
    )
    done, (talk,), left = imported(tmp_path, videos, "x.json", [entry])
    assert left == []
    assert [brief(q) for q in talk.questions] == [
        (Kind.PROACTIVE, 1, "Tell me when the box is blue.", OKAY, [(12, "It is blue.")]),
        (Kind.REAL_TIME, 6, "What is it?", "", [(6, "A box.")]),
    ]
    assert done.guessed == {
        "an answer while several questions wait": 2,
        "a question that was answered a second late is asked a second later": 1,
    }
    lines = (tmp_path / "run" / "refine" / "guessed.txt").read_text().splitlines()
    assert len(lines) == 3 and done.first_guess in lines[0]
    assert lines[2].startswith(f"{tmp_path / 'x.json'}:2: 'What is it?' at 5 s: ")


OWNERS = {  # (asked, said, what each question gets, guesses)
    # nobody else waits: the words are its own, and it is taken for a standing one
    "alone": ([("What is it?", 2)], [("A.", 3), ("B.", 9)], [[3, 9]], 1),
    # a watch that was told waits no more
    "told": (
        [("Tell me when it is on.", 1), ("What is it?", 5)],
        [("On.", 3), ("A.", 6), ("B.", 9)],
        [[3], [6, 9]],
        1,
    ),
    # one for all changes waits always
    "each": (
        [("Tell me each time it changes.", 1), ("What is it?", 5)],
        [("On.", 3), ("A.", 5), ("Off.", 9)],
        [[3, 9], [5]],
        2,
    ),
    # the newer one is a watch itself: nothing says whose words they are
    "newer": (
        [("Tell me when it is on.", 1), ("Tell me when it is off.", 5)],
        [("Fine.", 5), ("Off.", 9)],
        [[], [9]],
        2,
    ),
    # words of one second belong together
    "second": (
        [("Tell me when it is on.", 1), ("What is it?", 5)],
        [("A.", 6), ("B.", 6.5)],
        [[], [6]],
        3,
    ),
}


@pytest.mark.parametrize("name", OWNERS)
def test_whose_answer_words_are_is_guessed_by_what_the_questions_ask_for(tmp_path, videos, name):
    asked, said, gets, guesses = OWNERS[name]
    entry = annotation("a.mp4", asked, said)
    done, (talk,), left = imported(tmp_path, videos, "x.json", [entry])
    assert [[a.chunk for a in q.answers] for q in talk.questions] == gets and left == []
    assert sum(done.guessed.values()) == guesses


def test_lists_in_a_list_say_whose_answer_words_are(tmp_path, videos):
    entry = annotation("a.mp4", [("Tell me when it is on.", 1), ("What is it?", 5)], [])
    entry["response"] = [[{"content": "On.", "time": 9}], [{"content": "A.", "time": 5}]]
    done, (talk,), _ = imported(tmp_path, videos, "x.json", [entry])
    assert [[a.chunk for a in q.answers] for q in talk.questions] == [[9], [5]]
    assert done.guessed == {} and done.first_guess == ""


def test_lists_in_a_list_are_the_responses_of_each_question(tmp_path, videos):
    entry = annotation("a.mp4", [("Watch the light.", "1"), ("Watch the wall.", "2")], [])
    entry["response"] = [[{"content": "The light.", "time": "8"}], [{"content": "No.", "time": 9}]]
    _, (talk,), _ = imported(tmp_path, videos, "x.json", [entry])
    assert [[a.text for a in q.answers] for q in talk.questions] == [["The light."], ["No."]]


def test_words_that_nobody_asked_for_get_the_question_of_the_settings(tmp_path, videos):
    entry = annotation("a.mp4", [("Is it bright?", 9)], [("It is dark.", 4), ("Yes.", 9)])
    _, (talk,), _ = imported(tmp_path, videos, "x.json", [entry], question="Describe it.")
    assert [brief(q)[:3] for q in talk.questions] == [
        (Kind.PROACTIVE, 0, "Describe it."),
        (Kind.REAL_TIME, 9, "Is it bright?"),
    ]


def test_a_time_in_the_last_started_second_is_in_the_last_whole_one(tmp_path, videos):
    entry = annotation("a.mp4", [("What was it?", str(SECONDS))], [("A lamp.", str(SECONDS))])
    _, (talk,), left = imported(tmp_path, videos, "x.json", [entry])
    assert talk.questions[0].chunk == SECONDS - 1 and left == []


def test_several_talks_about_one_video_have_samples_of_different_names(tmp_path, videos):
    said = [("Yes.", "1")]
    both = [annotation("a.mp4", [(t, "1")], said) for t in ("Is it dark?", "Is it night?")]
    _, talks, _ = imported(tmp_path, videos, "x.json", both)
    assert len({t.clip.id for t in talks}) == 2 and len({t.clip.video for t in talks}) == 1
    config = DataConfig(structure=StructureConfig("scripted"))
    run(Job("structure", tmp_path / "run", tmp_path / "run", config))
    samples = list(StageFolder(tmp_path / "run", "structure").read(0, Sample))
    spoken = [s for s in samples if s.target.answer]
    assert sorted(s.target.question for s in spoken) == ["Is it dark?", "Is it night?"]
    assert len({s.id for s in samples}) == len(samples)


@pytest.mark.parametrize(
    "task", ["</delegate> look it up", "I will see. </delegation> look it up", "</delegate>"]
)
@pytest.mark.parametrize("lists", [False, True])
def test_a_task_that_is_handed_over_costs_its_question_alone(tmp_path, videos, task, lists):
    """Regression: one such response left out all that its entry says."""
    asked = [("Is it dark?", 1), ("When does the shop open?", 3), ("Tell me when it is bright.", 6)]
    said = [("Yes.", 1), ("One moment.", 4), (task, 5), ("It is bright.", 8)]
    entry = annotation("a.mp4", asked, said)
    if lists:
        r = entry["response"]
        entry["response"] = [[r[0]], [r[1], r[2]], [r[3]]]
    done, (talk,), (left,) = imported(tmp_path, videos, "x.json", [entry])
    assert [brief(q) for q in talk.questions] == [
        (Kind.REAL_TIME, 1, "Is it dark?", "", [(1, "Yes.")]),
        (Kind.PROACTIVE, 6, "Tell me when it is bright.", OKAY, [(8, "It is bright.")]),
    ]
    assert done.left == {"a question whose response hands a task over": 1}
    assert left.detail == f"{tmp_path / 'x.json'}:2: '{task}' at 5 s"


def test_a_task_that_nobody_asked_for_costs_the_question_of_the_settings(tmp_path, videos):
    entry = annotation("a.mp4", [("Is it bright?", 9)], [("</delegate> look", 4), ("Yes.", 9)])
    done, (talk,), _ = imported(tmp_path, videos, "x.json", [entry])
    assert [q.text for q in talk.questions] == ["Is it bright?"]
    assert done.left == {"a question whose response hands a task over": 1}


GOOD = annotation("a.mp4", [("Is it dark?", 1)], [("Yes.", 1)])
BAD = {  # what is wrong: (entry, the field and the reason)
    "no video": (GOOD | {"video_path": "c.mp4"}, "'video' names no file that is there"),
    "no text": (
        annotation("a.mp4", [("  ", 1)], [("Yes.", 1)]),
        "'question[0].content' must be a text that is not empty",
    ),
    "no time": (
        annotation("a.mp4", [("What?", 1)], [("A", 2), ("B", "soon")]),
        "'response[1].time' must be a time in seconds, not 'soon'",
    ),
    "before": (
        annotation("a.mp4", [("What?", -1)], [("A", 2)]),
        "'question[0].time' must not be negative",
    ),
    "no list": (GOOD | {"response": "Yes."}, "'response' must be a list"),
    "no object": (["Yes."], "an object is needed"),
    "a task": (
        annotation("a.mp4", [("</delegate> look it up", 1)], [("Yes.", 1)]),
        "'question[0].content' hands a task over",
    ),
    "converted": (GOOD | {"messages": []}, "'messages' was converted for training already"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_entry_is_left_out_with_file_line_and_field(tmp_path, videos, name):
    bad, why = BAD[name]
    text = json.dumps(GOOD) + "\n" + json.dumps(bad) + "\n" + json.dumps(GOOD) + "\n"
    done, talks, left = imported(tmp_path, videos, "x.jsonl", text)
    assert len(talks) == 2
    assert [r.item for r in left] == [f"{tmp_path / 'x.jsonl'}:2"]
    assert left[0].detail.startswith(f"{tmp_path / 'x.jsonl'}:2: ") and why in left[0].detail
    assert done.first == left[0].detail


LEFT = {  # questions that contradict their video or each other: (asked, said, reason)
    "outside": ([("What?", 30)], [("A", 30)], "time outside the video"),
    "answer outside": ([("What?", 3)], [("A", 30)], "answered outside its clip"),
    "silence": ([("What is it?", 3)], [], "no answer"),
}


@pytest.mark.parametrize("name", LEFT)
def test_a_question_that_cannot_be_is_counted(tmp_path, videos, name):
    asked, said, reason = LEFT[name]
    asked, said = [("Is it dark?", 0), *asked], [("Yes.", 0), *said]
    done, (talk,), left = imported(tmp_path, videos, "x.json", [annotation("a.mp4", asked, said)])
    assert reason in done.left, done.left
    assert "Is it dark?" in [q.text for q in talk.questions]
    assert all(r.item == f"{tmp_path / 'x.json'}:2" for r in left)


def test_a_question_in_the_second_of_another_ones_answer_is_left_out(tmp_path, videos):
    """The engine says one thing a second: the answer would never be said."""
    entry = annotation("a.mp4", [("Tell me when it gets bright.", 1), ("What is it?", 8)], [])
    entry["response"] = [[{"content": "Now.", "time": 8}], [{"content": "A lamp.", "time": 8}]]
    done, (talk,), _ = imported(tmp_path, videos, "x.json", [entry])
    assert done.left == {"two things in one second": 1}
    assert [q.text for q in talk.questions] == ["Tell me when it gets bright."]


def test_a_video_that_cannot_be_prepared_costs_its_entries_and_is_named(tmp_path, videos):
    (videos / "bad.mp4").write_bytes(b"")
    both = [annotation("bad.mp4", [("What?", 1)], [("A", 1)]), GOOD]
    done, talks, left = imported(tmp_path, videos, "x.json", both)
    assert len(talks) == 1 and done.left == {"its video cannot be used": 1}
    assert "bad.mp4: empty file" in left[0].detail


def test_a_file_that_is_not_json_is_refused_with_its_line(tmp_path, videos):
    with pytest.raises(InputError, match=r"x\.json:3: not JSON: .*; nothing after it is read"):
        imported(tmp_path, videos, "x.json", "[\n{},\n{'a': 1}]")


def test_when_nothing_is_left_the_import_ends_with_the_first_reason(tmp_path, videos):
    gone = GOOD | {"video_path": "c.mp4"}
    with pytest.raises(
        InputError, match=r"nothing can be imported: 1 left out, the first: .*c\.mp4"
    ):
        imported(tmp_path, videos, "x.json", [gone])


def test_entries_of_a_list_know_their_lines(tmp_path):
    path = tmp_path / "x.json"
    path.write_text('\ufeff[\n {"a": 1}, {"a":\n 2},\n\n {"a": 3}\n]\n', encoding="utf-8")
    found = [(e.where.rpartition(":")[2], e.value["a"]) for e in entries(path)]
    assert found == [("2", 1), ("2", 2), ("5", 3)]


# ---- captions --------------------------------------------------------------------------------


def lines_of(path: Path, at: str = "end") -> dict[str, list[tuple[float, str]]]:
    """The captions of a file by video: when each is said."""
    found = list(captions.talks([path], at))
    assert not any(isinstance(t, BadEntry) for t in found)
    return {t.video: [(s.at_s, s.text) for s in t.said] for t in found}


def test_captions_of_json_lines_in_their_usual_names(tmp_path):
    path = tmp_path / "x.jsonl"
    rows = [
        {"video": "a", "start": 1.0, "end": 3.5, "caption": "one"},
        {"video_path": "b", "timestamp": "0:01:02", "text": "two"},
        {"video": "a", "timestamp": [0, 1], "sentence": "zero"},
        {"video_id": "b", "captions": [{"time": 2, "text": "three"}]},
    ]
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    assert lines_of(path) == {
        "a": [(0.0, "zero"), (3.0, "one")],
        "b": [(2.0, "three"), (62.0, "two")],
    }
    assert lines_of(path, "start")["a"] == [(0.0, "zero"), (1.0, "one")]


def test_dense_captions_are_said_when_all_of_them_was_seen(tmp_path):
    path = tmp_path / "x.json"
    dense = {"v_1": {"duration": 9, "timestamps": [[0.8, 4.0], [5, 5]], "sentences": ["A.", "B."]}}
    path.write_text(json.dumps(dense))
    assert lines_of(path) == {"v_1": [(3.0, "A."), (5.0, "B.")]}


SRT = """1
00:00:01,500 --> 00:00:04,000
<i>A cup</i> falls.

2
00:01:00,000 --> 00:01:02,000
{\\an8}It
breaks &amp; stays.

"""
VTT = """WEBVTT - a title

NOTE
no cue

first
00:01.500 --> 00:04.000 align:start position:0%
<v Anna>A cup <00:02.000>falls.

01:00.000 --> 01:02.000
It breaks &amp; stays.

00:01:03.000 --> 00:01:04.000
"""


@pytest.mark.parametrize(
    "name, text", [("a.srt", SRT), ("a.vtt", VTT), ("b.srt", SRT.replace("\n", "\r\n"))]
)
def test_subtitles(tmp_path, name, text):
    (tmp_path / name).write_bytes(text.encode())
    assert list(cues(tmp_path / name)) == [
        Cue(1.5, 4.0, "A cup falls."),
        Cue(60.0, 62.0, "It breaks & stays."),
    ]


def test_captions_become_one_standing_question_with_silence_between(tmp_path, videos):
    cues = [
        ("1", "00:00:03,000 --> 00:00:05,000", "It is dark."),
        ("2", "00:08,000 --> 00:09,000", "Light!"),
    ]
    text = "\n\n".join("\n".join(cue) for cue in cues)
    _, (talk,), _ = imported(tmp_path, videos, "b.srt", text, format="captions")
    assert talk.clip.source == "b.mp4"
    (question,) = talk.questions
    assert brief(question) == (
        Kind.MULTI_RESPONSE,
        0,
        "Tell me each time something new happens.",
        OKAY,
        [(4, "It is dark."), (8, "Light!")],
    )
    config = DataConfig(structure=StructureConfig("scripted"))
    run(Job("structure", tmp_path / "run", tmp_path / "run", config))
    samples = list(StageFolder(tmp_path / "run", "structure").read(0, Sample))
    last = [s for s in samples if s.target.answer][-1]
    assert [(w.chunk, w.answer) for w in last.turns] == [
        (0, OKAY),
        (4, "It is dark."),
        (8, "Light!"),
    ]


def test_captions_of_a_long_video_are_asked_for_in_each_clip(tmp_path, videos):
    rows = [{"video": "a", "time": t, "text": f"at {t}"} for t in (3, 9, 15)]
    (tmp_path / "x.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    config = DataConfig(prepare=PrepareConfig(max_seconds=8))
    how = ImportConfig(format="captions", question="Describe it.", acknowledgment="Fine.")
    done = import_files(tmp_path / "x.jsonl", videos, tmp_path / "run", how, config)
    talks = list(done.folder.read(0, Conversation))
    assert [[brief(q)[1:] for q in t.questions] for t in talks] == [
        [(0, "Describe it.", "Fine.", [(3, "at 3")])],
        [(0, "Describe it.", "Fine.", [(1, "at 9"), (7, "at 15")])],
    ]
    assert done.left == {}


def test_a_caption_outside_its_video_is_counted(tmp_path, videos):
    rows = [{"video": "a", "time": t, "text": "x"} for t in (3, 99)]
    text = "".join(json.dumps(r) + "\n" for r in rows)
    done, talks, _ = imported(tmp_path, videos, "x.jsonl", text, format="captions")
    assert done.left == {"time outside the video": 1} and len(talks) == 1


BROKEN = {
    "a.srt": ("1\n00:00:01,000 --> 00:00:02,000\nA\n\n2\nno time\nB\n", ":5: a line with"),
    "a.vtt": ("WEBVTT\n\n00:02.000 --> 00:01.000\nA\n", ":3: 'end' is before the start"),
    "a.jsonl": (
        '{"video": "a", "start": 1, "text": "A"}\n{"video": "a", "text": "B"}\n',
        ":2: 'start'",
    ),
    "b.jsonl": ('{"video": "a", "start": 1, "text": "A"}\nno\n', ":2: not a line of JSON"),
    "c.jsonl": ('{"video": "a", "start": 1, "text": "A"}\n{"start": 2}\n', ":2: 'video' must"),
    "d.jsonl": (
        '{"video": "a", "start": 1, "text": "A"}\n{"id": "c", "start": 2, "te\n',
        ":2: not a line of JSON",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_caption_that_cannot_be_read_costs_its_video(tmp_path, name):
    """The other captions would teach silence in its second. A line that does not tell its video may
    belong to any of the file.
    """
    text, why = BROKEN[name]
    (tmp_path / name).write_text(text)
    found = list(captions.talks([tmp_path / name], "end"))
    faults = [str(t) for t in found if isinstance(t, BadEntry)]
    assert faults[0].startswith(f"{tmp_path / name}{why}")
    assert len(found) == len(faults) == 2 and "a: a caption of it is left out" not in faults[0]
    assert f"a caption of it is left out: a: {tmp_path / name}{why[:3]}" in faults[1]


@pytest.mark.parametrize(
    "line",
    [
        '{"video": "v/b.mp4", "start": 5, "caption": "box goes',
        '{"start": 5, "caption": "say \\"video\\": \\"c\\"", "video_path": "b", "end": }',
    ],
)
def test_a_damaged_line_that_tells_its_video_costs_that_one_alone(tmp_path, line):
    good = [{"video": v, "start": 1, "text": v} for v in ("a", "b", "c")]
    rows = [json.dumps(good[0]), json.dumps(good[1]), line, json.dumps(good[2])]
    (tmp_path / "x.jsonl").write_text("\n".join(rows))
    found = captions.talks([tmp_path / "x.jsonl"], "end", lambda _, video: Path(video).stem)
    assert [t.video for t in found if not isinstance(t, BadEntry)] == ["a", "c"]


def test_a_line_of_an_unknown_video_costs_no_entry_that_has_all_captions_of_its_video(tmp_path):
    whole = {"video": "b", "captions": [{"time": 1, "text": "x"}]}
    rows = [json.dumps(whole), "{broken", '{"video": "a", "time": 1, "text": "y"}']
    (tmp_path / "x.jsonl").write_text("\n".join(rows))
    (tmp_path / "y.jsonl").write_text('{"video": "c", "time": 1, "text": "y"}')
    found = captions.talks([tmp_path / "x.jsonl", tmp_path / "y.jsonl"], "end")
    assert [t.video for t in found if not isinstance(t, BadEntry)] == ["b", "c"]


def folder_of_captions(tmp_path: Path, **files: str) -> Path:
    (tmp_path / "in").mkdir()
    for name, text in files.items():
        (tmp_path / "in" / name.replace("_", ".")).write_text(text)
    return tmp_path / "in"


def test_captions_of_one_video_in_several_files_are_one_conversation(tmp_path, videos):
    """Regression: each file had a conversation of its own, with silence where the other one had
    words.
    """
    line = '{{"video": "{}", "start": {}, "end": {}, "caption": "{}"}}\n'
    place = folder_of_captions(
        tmp_path,
        a_srt="1\n00:00:01,000 --> 00:00:03,000\nIt is dark.\n",
        x_jsonl=line.format("videos/a.mp4", 6, 8, "It is bright.") + line.format("b", 1, 3, "B."),
        y_jsonl=line.format("a.mp4", 1, 3, "It is dark.") + line.format("a", 12, 14, "Dark."),
    )
    how = ImportConfig(format="captions")
    done = import_files(place, videos, tmp_path / "run", how, DataConfig())
    talks = list(done.folder.read(0, Conversation))
    said = {t.clip.source: [(a.chunk, a.text) for a in t.questions[0].answers] for t in talks}
    assert len(talks) == 2 and done.left == {}
    assert said == {
        "a.mp4": [(2, "It is dark."), (7, "It is bright."), (13, "Dark.")],
        "b.mp4": [(2, "B.")],
    }


def test_a_spoiled_video_is_left_out_whatever_file_and_name_it_stands_under(tmp_path, videos):
    """Regression: it was known by its name in the one file, and used with that of another one."""
    place = folder_of_captions(
        tmp_path,
        a_srt="1\n00:00:01,000 --> 00:00:03,000\nA.\n\n2\n00:00:0X,000 --> 00:00:07,000\nlost\n",
        z_jsonl='{"video": "videos/a.mp4", "start": 9, "end": 12, "caption": "It is left."}\n'
        '{"video": "b", "start": 2, "end": 4, "caption": "B."}\n',
    )
    how = ImportConfig(format="captions")
    done = import_files(place, videos, tmp_path / "run", how, DataConfig())
    (talk,) = done.folder.read(0, Conversation)
    assert talk.clip.source == "b.mp4"
    assert done.left["a caption of it is left out"] == 1
    told = [r.detail for r in done.folder.rejected(0)]
    assert any("a.mp4: " in t and "a.srt:5: 'start' must be a time" in t for t in told)


def test_an_entry_that_is_no_object_is_named():
    with pytest.raises(BadEntry, match="x:1: an object is needed, not 3"):
        Entry("x:1", 3).field("a")


def test_the_command_says_what_it_left_out_and_what_comes_next(tmp_path, videos):
    (tmp_path / "x.jsonl").write_text(json.dumps(GOOD) + "\nbroken\n")
    told = aura(
        "import",
        tmp_path / "x.jsonl",
        "--format",
        "joyai",
        "--media",
        videos,
        "--out",
        tmp_path / "run",
        "-q",
    )
    assert told.returncode == 0, told.stderr
    assert "1 conversation, 1 left out" in told.stdout
    assert "1 not a line of JSON" in told.stdout and "x.jsonl:2: not a line" in told.stdout
    assert "next: aura data structure" in told.stdout
    report = aura("report", "--out", tmp_path / "run")
    assert report.returncode == 0 and "not a line of JSON" in report.stdout


def test_joyai_reads_all_files_of_a_folder(tmp_path, videos):
    for name in ("x", "y"):
        (tmp_path / "in" / name).mkdir(parents=True)
        (tmp_path / "in" / name / "z.json").write_text(json.dumps([GOOD]))
    done = import_files(tmp_path / "in", videos, tmp_path / "run", ImportConfig(), DataConfig())
    assert done.records == 2
    assert len(list(joyai.talks(tmp_path / "in" / "x" / "z.json"))) == 1
