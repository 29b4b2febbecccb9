"""Any field of an annotation or a published result may have any type.

The error is one clear line, never a traceback.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import eval_rig as rig
import pytest
from eval_rig import JUDGE
from eval_samples import (
    COUNT,
    FAST,
    GAZE,
    GAZE_ALERT,
    KITCHEN,
    OVO,
    PROACTIVE,
    PROACTIVE_QA,
    REMIND,
    pro,
    sb_entry,
    sb_question,
    trigger,
)

from aura_core.errors import InputError
from aura_core.evaluation import statistics
from aura_core.evaluation.predictions import select
from aura_core.evaluation.records import Item, Prediction, Spoken
from aura_core.evaluation.tasks import TASKS
from aura_core.evaluation.tasks.base import Broken

BAD: tuple[Any, ...] = (None, 3, -1.5, "two", "", True, [], [3], {}, {"x": 1}, 10**400)
TURNS = [
    {"question": "What?", "answer": "a", "timestamp": "1.0 -- 4.0"},
    {"question": "After ##ANSWER##?", "answer": "b", "timestamp": "1.0 -- 4.0"},
]
TALK = [{"human": "Why?", "assistant": "So."}, {"human": "Oh well."}]
ASKED = {
    "question_time": "00:01",
    "question_text": "What?",
    "answer_time": 2,
    "answer_text": "cup",
    "question_type": "realtime",
    "is_interrupted": False,
}
MANY = {
    "question_time": 1,
    "question_text": "Guide me.",
    "answers": [{"answer_time": 2, "answer_text": "cut"}],
}
CONVERSATION = [
    {"from": "user", "timestamp": "00:03", "value": "Help."},
    {"from": "assistant", "timestamp": "00:09", "value": "cut", "interrupted": "true"},
]
MAP = {
    "entries": [
        {"video": "videos/t.mp4", "annotation": "annotations/t.json", "scene_type": "nested"}
    ]
}
NESTED = [{**ASKED, "answer_time": 30}, {**ASKED, "question_time": 3, "answer_time": 5}]
WINDOW = {
    "id": "1",
    "video": "a.mp4",
    "mode": "proactive",
    "position": "forward",
    "question": "Tell me.",
    "question_time": 5,
    "answers": [{"start": 20, "end": 25, "answer": "It rains."}],
    "end": 60,
}
CHOICES = {
    "id": "1",
    "video": "a.mp4",
    "split": "question-changing",
    "questions": [
        {
            "question": "What?",
            "question_time": 5,
            "options": ["x", "B. y"],
            "answers": [{"start": 5, "end": 8, "answer": "B"}],
        }
    ],
}

ANNOTATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "sb": (
        "streamingbench",
        {
            "questions_real.json": [sb_entry("v.mp4", sb_question("0:01", "A"))],
            "questions_proactive.json": [sb_entry("v.mp4", PROACTIVE)],
        },
    ),
    "ovo": ("ovobench", {"ovo_bench_new.json": OVO}),
    "mmi": (
        "omnimmi",
        {
            "dynamic_state_grounding.json": [{"video": "v.mp4", "qa": TURNS}],
            "action_prediction.json": [
                {"video": "v.mp4", "question": "Next?", "answer": "a", "vocab": ["a", "b"]}
            ],
            "speaker_identification.json": [
                {"video": "v.mp4", "question": "Who?", "answer": "a", "timestamp": 3}
            ],
            "proactive_alerting.json": [
                {"video": "v.mp4", "question": "Tell me.", "answer": [3, 5]}
            ],
            "proactive_turntaking.json": [{"video": "v.mp4", "conversation": TALK}],
        },
    ),
    "pro": (
        "omnipro",
        {
            "benchmark.json": [
                pro("a", "instant_event_alert", trigger(10)),
                pro("b", "snapshot_counting", trigger(10, count=1)),
                pro("c", "dedup_counting", trigger(10, count=2)),
                pro("d", "event_narration", trigger(10)),
                pro("e", "explicit_target_grounding", trigger(10, position="top-left")),
                pro("f", "realtime_state_monitor", trigger(10, state_from="red", state_to="green")),
            ]
        },
    ),
    "interact": (
        "omniinteract",
        {
            "1q1a/annotations/t.json": [ASKED],
            "1qna/annotations/m.json": MANY,
            "1qna/annotations/c.json": {"conversations": CONVERSATION},
        },
    ),
    "nested": (
        "omniinteract",
        {"1q1a/video_json_map.json": MAP, "1q1a/annotations/t.json": NESTED},
    ),
    "windows": ("streaming-eval", {"streaming_eval.json": [WINDOW]}),
    "choices": ("streaming-eval", {"streaming_eval.json": [CHOICES]}),
    "fast": ("fastbench", {"proactive_perception_annotations.json": [FAST]}),
    "counts": ("svcbench", {"svcbench_eval.jsonl": COUNT}),
    "kitchen": ("streameqa", {"Perception.json": [KITCHEN]}),
    "gaze": ("streamgaze", {"qa/past_a.json": [GAZE], "qa/proactive_a.json": [GAZE_ALERT]}),
    "duplex": ("omniduplex", {"PR_event_reminder.json": [REMIND], "PR_correction.json": [REMIND]}),
    "pauc": ("proactivevideoqa", {"WEB/anno.json": [PROACTIVE_QA]}),
}

ALIGNED = [{"text": "a", "start": 1, "end": 1.5}, {"text": "cup", "start": 2.5, "end": 3}]
# annotations, place, file, content (a tuple: JSON lines)
PUBLISHED: dict[str, tuple[str, str, str, Any]] = {
    "sb": (
        "sb",
        "r.json",
        "r.json",
        [
            sb_entry("v.mp4", sb_question("0:01", "A") | {"M": "A"}),
            sb_entry("v.mp4", PROACTIVE | {"M": {"dialog_history": [{"time": 6, "content": "3"}]}}),
        ],
    ),
    "ovo": (
        "ovo",
        "r.json",
        "r.json",
        {
            "backward": [{"id": 0, "question": "What?", "response": "B", "ground_truth": "C"}],
            "realtime": [],
            "forward": [{"id": 3, "test_info": [{"realtime": 5, "count": 1, "response": ["1"]}]}],
        },
    ),
    "mmi": (
        "mmi",
        "r.json",
        "r.json",
        (
            {"video": "v.mp4", "qa": [t | {"pred": "a"} for t in TURNS]},
            {"video": "v.mp4", "question": "Tell me.", "pred": [4]},
            {"video": "v.mp4", "conversation": TALK, "pred": 1},
        ),
    ),
    "pro": (
        "pro",
        "r.jsonl",
        "r.jsonl",
        ({"id": "b", "predictions": [{"t_sec": 10, "raw": "1"}]},),
    ),
    "interact": (
        "interact",
        "out",
        "out/1q1a/videos__t/output.json",
        {
            "text": "a cup",
            "chunks": [{"text": "a cup", "timestamp": [1, 3], "aligned_words": ALIGNED}],
        },
    ),
    "fast": (
        "fast",
        "r.jsonl",
        "r.jsonl",
        (
            {
                "video_path": FAST["video_path"],
                "responses": [{"timestamp": "00:09", "response": "B"}],
            },
        ),
    ),
    "counts": (
        "counts",
        "r.jsonl",
        "r.jsonl",
        (
            {"id": "q1", "query_time": 4, "prediction": "2"},
            {"id": "q1", "query_times": [4], "predictions": [2], "gts": [2]},
        ),
    ),
    "kitchen": ("kitchen", "r.json", "r.json", [KITCHEN | {"M": "B"}]),
    "gaze": (
        "gaze",
        "out",
        "out/past_a_output.json",
        [GAZE | {"model_predictions": [{"model_prediction": "A"}]}],
    ),
    "duplex": (
        "duplex",
        "out",
        "out/PR_event_reminder/1.json",
        {"chunks": [{"sentence": "now", "start": 11}]},
    ),
    "pauc": (
        "pauc",
        "r.jsonl",
        "r.jsonl",
        (
            {
                "question_id": "a%1",
                "model_response_list": [{"role": "assistant", "content": "x", "time": 6}],
            },
        ),
    ),
}


@pytest.fixture(autouse=True)
def few_draws(monkeypatch):
    """Few bootstrap draws, because these tests do not look at the intervals."""
    monkeypatch.setattr(statistics, "DRAWS", 2)


def spoiled(data: Any) -> Iterator[tuple[str, Any]]:
    """Yield `data` with one of its parts, at any depth, missing or replaced by each of `BAD`.

    The place of that part comes with it.
    """

    def places(node: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
        for key, child in (
            node.items()
            if isinstance(node, dict)
            else enumerate(node)
            if isinstance(node, list)
            else ()
        ):
            yield (*path, key)
            yield from places(child, (*path, key))

    for path in places(data, ()):
        for bad in (*BAD, places):  # `places` stands for: missing
            out = copy.deepcopy(data)
            *way, last = path
            node = out
            for key in way:
                node = node[key]
            if bad is places:
                del node[last]
            else:
                node[last] = bad
            yield f"{path} = {'missing' if bad is places else bad!r}", out


def words(item: Item) -> Prediction:
    """Return words at every time that counts, as answers to every question."""
    said = [
        Spoken(at_s, "1 a cup", q.id, False)
        for q in item.questions
        for at_s in (2.5, *(d.at_s for d in q.due))
    ]
    return Prediction(item.id, tuple(said), 60)


@pytest.mark.parametrize("name", ANNOTATIONS)
def test_a_bad_annotation_is_refused_when_it_is_read(tmp_path, name):
    task, files = ANNOTATIONS[name]
    for file, content in files.items():
        rig.write(tmp_path / file, content)
    for file, content in files.items():
        # for speed: six items take six times
        apart = [[row] for row in content] if len(content) > 2 else [content]
        for what, bad in (each for part in apart for each in spoiled(part)):
            rig.write(tmp_path / file, bad)
            try:
                items = TASKS[task].read(tmp_path, Broken(skip=True))
                TASKS[task].score(items, {i.id: words(i) for i in items}, JUDGE)
            except InputError as e:
                assert str(e)
            except Exception as e:
                raise AssertionError(f"{file}: {what}") from e
        rig.write(tmp_path / file, content)


def write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = content if isinstance(content, tuple) else (content,)
    path.write_text("\n".join(json.dumps(line) for line in lines))


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_bad_published_result_is_refused_when_it_is_read(tmp_path, name):
    annotations, place, file, content = PUBLISHED[name]
    task, files = ANNOTATIONS[annotations]
    for each, data in files.items():
        rig.write(tmp_path / each, data)
    items = TASKS[task].read(tmp_path, Broken())

    def read_and_score() -> int:
        chosen, _ = select(
            TASKS[task].published(tmp_path / place, items, ""), items, place, skip=True
        )
        TASKS[task].score(items, chosen, JUDGE)
        return len(chosen)

    write(tmp_path / file, content)
    assert read_and_score() > 0
    for what, bad in spoiled(list(content) if isinstance(content, tuple) else content):
        write(tmp_path / file, tuple(bad) if isinstance(content, tuple) else bad)
        try:
            read_and_score()
        except InputError as e:
            assert str(e)
        except Exception as e:
            raise AssertionError(f"{file}: {what}") from e
    (tmp_path / file).write_bytes(b'{"id": "\xff"}')
    with pytest.raises(InputError, match="it is not UTF-8 text"):
        read_and_score()
    (tmp_path / file).write_text("3")
    with pytest.raises(InputError):
        read_and_score()
