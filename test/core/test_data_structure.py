"""Samples have exactly the tokens that the engine feeds, at every answer and window switch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from data_rig import clip, engine_feeds, random_conversation, real_time, sha256, standing

from aura_core.config import WindowConfig
from aura_core.data.schema import Conversation, Sample, Scene
from aura_core.data.settings import StructureConfig
from aura_core.data.structure import digest, open_codec, pieces_of, structure
from aura_core.types import Kind

SMALL = WindowConfig(keep=6, max=11, qa_groups=3)
CODEC = open_codec("scripted")


def settings(window: WindowConfig, **more: float) -> StructureConfig:
    """Return settings without samples that end in silence, unless they are asked for."""
    return StructureConfig("scripted", window, **({"after_last": 0.0, "unasked": 0.0} | more))


def samples_of(
    conversation: Conversation, window: WindowConfig = SMALL, **limits: float
) -> list[Sample]:
    return structure(conversation, CODEC, settings(window, **limits)).records


def asked(*questions, seconds: int = 40) -> Conversation:
    return Conversation(clip(seconds), (Scene(0, seconds, ""),), questions)


def rebuilt(sample: Sample) -> tuple[int, str]:
    return digest(pieces_of(sample, CODEC, CODEC.chat.chunk.stand_in))


def check(seeds: range, windows: list[WindowConfig]) -> int:
    """Compare every sample of random conversations with what the engine feeds at that step.

    Returns the number of samples.
    """
    count = 0
    for seed in seeds:
        window = windows[seed % len(windows)]
        conversation = random_conversation(seed, 30 + seed % 40)
        samples = samples_of(conversation, window)
        script = {
            c: CODEC.text(CODEC.answer_ids(t.strip())) for c, t in said_in(conversation).items()
        }
        fed = engine_feeds(conversation, script, window)
        assert set(fed) == {s.target.chunk for s in samples}
        for sample in samples:
            assert sha256(fed[sample.target.chunk]) == sample.ids_sha256, (seed, sample.id)
            assert rebuilt(sample) == (sample.text_tokens, sample.ids_sha256)
            assert sample.text_tokens == sum(i >= 0 for i in fed[sample.target.chunk])
            count += 1
    return count


def said_in(conversation: Conversation) -> dict[int, str]:
    """Return the words that are due by chunk, also those that the engine will suppress."""
    words: dict[int, dict[str, None]] = {}
    for q in conversation.questions:
        for a in q.answers:
            words.setdefault(a.chunk, {})[a.text.strip()] = None
    due = {chunk: " ".join(texts) for chunk, texts in words.items()}
    return due | {q.chunk: q.acknowledgment or q.answers[0].text for q in conversation.questions}


WINDOWS = [
    SMALL,
    WindowConfig(keep=3, max=5, qa_groups=1),
    WindowConfig(keep=4, max=16, qa_groups=2),
]


def test_sample_ids_are_the_ids_that_the_engine_feeds():
    assert check(range(32), WINDOWS) >= 250


@pytest.mark.slow
def test_a_thousand_sample_ids_are_the_ids_that_the_engine_feeds():
    windows = [
        *WINDOWS,
        replace(SMALL, policy="floating"),
        WindowConfig(keep=1, max=2, qa_groups=0),
    ]
    windows += [WindowConfig(keep=10, max=30), WindowConfig()]
    assert check(range(1000, 1120), windows) >= 1000


def test_one_sample_for_each_answer_and_its_target_stands_last():
    c = asked(
        real_time(3), standing(5, [(8, "it moved")], Kind.PROACTIVE), real_time(20, evidence=2)
    )
    samples = samples_of(c)
    assert [s.id for s in samples] == ["clip/3", "clip/5", "clip/8", "clip/20"]
    assert [s.target.acknowledgment for s in samples] == [False, True, False, False]
    assert [s.target.question_id for s in samples] == ["r3", "s5", "s5", "r20"]
    assert all(
        s.stop == s.target.chunk + 1 and s.turns[-1].chunk == s.target.chunk for s in samples
    )
    assert samples[-1].target.evidence == 2
    # switches before 11 and 16
    assert [(s.first, s.stop) for s in samples] == [(0, 4), (0, 6), (0, 9), (10, 21)]
    assert [(g.question, g.answers) for g in samples[-1].history] == [
        ("what is it?", ("a cube",)),
        ("tell me when it moves", ("okay", "it moved")),
    ]


def test_a_chunk_without_words_is_silent_in_the_ids():
    (sample,) = samples_of(asked(real_time(2)))
    assert [w.chunk for w in sample.turns] == [2]
    ids = [
        i
        for p in pieces_of(sample, CODEC, CODEC.chat.chunk.stand_in)
        for i in getattr(p, "ids", ())
    ]
    assert ids.count(CODEC.chat.silent_id) == 2


def test_answers_that_fall_together_are_said_together():
    first = standing(1, [(6, "a cube came")], Kind.PROACTIVE, "tell me when a cube comes")
    second = standing(
        2, [(6, "it is red")], Kind.MULTI_RESPONSE, "tell me every time something red comes"
    )
    same = standing(3, [(6, "a cube came")], Kind.MULTI_RESPONSE, "tell me whenever it comes")
    samples = samples_of(asked(first, second, same))
    assert (
        samples[-1].target.answer == "a cube came it is red"
        and samples[-1].target.question_id == "s3"
    )


def test_what_the_engine_would_not_say_is_rejected():
    again = standing(1, [(5, "it moved"), (6, "it moved"), (9, "it moved")], Kind.MULTI_RESPONSE)
    out = structure(asked(again), CODEC, settings(SMALL))
    assert [s.target.chunk for s in out.records] == [1, 5, 9]
    assert [(r.item, r.reason) for r in out.rejections] == [
        ("clip/6", "the engine would not say it: duplicate")
    ]


@pytest.mark.parametrize(
    ("limits", "question", "reason"),
    [
        ({"max_answer_tokens": 5}, real_time(2, answer="a long answer"), "answer too long"),
        ({"max_question_tokens": 5}, real_time(2, text="a long question"), "question too long"),
    ],
)
def test_a_question_that_the_engine_would_cut_is_rejected(limits, question, reason):
    out = structure(asked(question), CODEC, settings(SMALL, **limits))
    assert out.records == [] and [r.reason for r in out.rejections] == [reason, "nothing to say"]


@pytest.mark.parametrize(
    "late",
    [
        real_time(40),
        standing(40, [], Kind.PROACTIVE),
        standing(5, [(8, "it moved"), (40, "it moved again")], Kind.MULTI_RESPONSE),
    ],
)
def test_what_comes_after_the_end_of_the_clip_is_rejected(late):
    """Regression: it was left out without a word, and a question lost only its last answers."""
    inside = standing(3, [(39, "it stopped")], Kind.PROACTIVE, "tell me when it stops")
    out = structure(asked(inside, late), CODEC, settings(SMALL))
    assert [s.target.chunk for s in out.records] == [3, 39]
    (rejection,) = out.rejections
    assert (rejection.item, rejection.reason) == (late.id, "time outside the clip")
    assert rejection.detail == "40 s of 40 s"


def test_special_tokens_in_words_are_only_words():
    (sample,) = samples_of(asked(real_time(2, text="<|im_end|> hi", answer="<|silent|>")))
    ids = [
        i
        for p in pieces_of(sample, CODEC, CODEC.chat.chunk.stand_in)
        for i in getattr(p, "ids", ())
    ]
    assert ids.count(CODEC.chat.silent_id) == 2 and sample.turns[-1].answer == "<|silent|>"


# ---- samples that end in silence -----------------------------------------------------------------


def test_a_sample_after_the_last_answer_holds_what_the_engine_holds_then():
    made = 0
    for seed in range(40):
        conversation = random_conversation(seed, 30 + seed % 40)
        window = WINDOWS[seed % len(WINDOWS)]
        plain, more = (
            samples_of(conversation, window),
            samples_of(conversation, window, after_last=1.0),
        )
        silent = [s for s in more if s.target.silent]
        assert [s for s in more if not s.target.silent] == plain
        made += len(silent)
        script = {
            c: CODEC.text(CODEC.answer_ids(t.strip())) for c, t in said_in(conversation).items()
        }
        for sample in silent:
            assert max(said_in(conversation)) < sample.target.chunk == sample.stop - 1
            fed = engine_feeds(conversation, script, window, silent=True)
            assert sha256(fed[sample.target.chunk]) == sample.ids_sha256
            assert rebuilt(sample) == (sample.text_tokens, sample.ids_sha256)
    assert made > 20


def test_the_second_after_the_last_answer_is_any_of_them():
    ends = set()
    for n in range(60):
        c = asked(real_time(3))
        c = replace(c, clip=replace(c.clip, id=f"clip{n}"))
        ends |= {s.target.chunk for s in samples_of(c, after_last=1.0) if s.target.silent}
    assert min(ends) < 10 and max(ends) > 33 and min(ends) > 3


def test_no_second_is_left_after_an_answer_in_the_last_one():
    assert [s.target.chunk for s in samples_of(asked(real_time(39)), after_last=1.0)] == [39]


def test_a_stream_without_a_question_is_silent_and_another_conversation():
    c = asked(real_time(3), standing(5, [(8, "it moved")], Kind.PROACTIVE))
    answered, (quiet,) = samples_of(c), samples_of(c, unasked=1.0)[3:]
    assert samples_of(c, unasked=1.0)[:3] == answered
    assert quiet.turns == () == quiet.history and quiet.target.silent
    assert quiet.clip.id != c.clip.id and quiet.clip.video == c.clip.video
    ids = [
        i for p in pieces_of(quiet, CODEC, CODEC.chat.chunk.stand_in) for i in getattr(p, "ids", ())
    ]
    assert ids.count(CODEC.chat.silent_id) == quiet.stop - quiet.first >= 4


def test_the_shares_of_silent_samples_are_kept_and_counted():
    counts, n = {"samples after the last answer": 0, "samples without a question": 0}, 400
    for i in range(n):
        c = asked(real_time(3))
        c = replace(c, clip=replace(c.clip, id=f"clip{i}"))
        out = structure(c, CODEC, settings(SMALL, after_last=0.5, unasked=0.1))
        assert sum(out.counts[k] for k in counts) == sum(s.target.silent for s in out.records)
        counts = {k: v + out.counts[k] for k, v in counts.items()}
    for made, share in zip(counts.values(), (0.5, 0.1), strict=True):
        assert abs(made / n - share) < 4 * (share * (1 - share) / n) ** 0.5


def test_where_nothing_is_left_to_say_there_is_no_silence_to_teach():
    c = asked(real_time(2, text="a long question"))
    out = structure(c, CODEC, settings(SMALL, max_question_tokens=5, after_last=1.0, unasked=1.0))
    assert out.records == [] and [r.reason for r in out.rejections][-1] == "nothing to say"


@pytest.mark.slow
def test_the_embedded_models_tokens_are_read_without_torch_and_equal_the_backends():
    pytest.importorskip("transformers")
    pytest.importorskip("torch")
    from aura_core.config import ModelConfig
    from aura_core.models import load

    codec, backend = open_codec("aura_tiny"), load(ModelConfig())
    assert codec.chat == backend.chat
    text = "tell me when a red cube appears"
    assert codec.tokenizer.encode(text) == backend.tokenizer.encode(text)
    assert np.array_equal(
        codec.head(codec.prefix()).ids, backend.tokenizer.encode(_head(backend.chat))
    )


def _head(chat) -> str:
    return chat.system[0] + chat.system_prompt + chat.system[1]
