"""Stages 2, 3 and 5 with the simulator as author and judge.

What is right passes. What is wrong is rejected.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from data_rig import Liar, clip, real_time, standing

from aura_core.config import WindowConfig
from aura_core.data import prepare as preparing
from aura_core.data import scenes
from aura_core.data.author import Draft, Sibling
from aura_core.data.oracle import Oracle, seed_of
from aura_core.data.outcome import ItemError
from aura_core.data.prepare import sim_sources
from aura_core.data.refine import refine
from aura_core.data.schema import Answer, Conversation, Scene
from aura_core.data.settings import PrepareConfig, RefineConfig, StructureConfig, SynthesizeConfig
from aura_core.data.structure import open_codec, structure
from aura_core.data.synthesize import synthesize
from aura_core.data.verify import verify
from aura_core.errors import InputError
from aura_core.types import Kind

SECONDS = 60


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A folder with a few simulated clips of one scene each. The light does not change in them."""
    folder = tmp_path_factory.mktemp("run")
    stage = preparing.open_stage(folder, PrepareConfig(crf=30))
    return folder, [stage.work(s).records[0] for s in sim_sources([1008, 1024, 1026], SECONDS)]


def conversations(run, author=None, **settings) -> list:
    folder, clips = run
    config = SynthesizeConfig(**settings)
    return [synthesize(c, folder, author or Oracle(), config) for c in clips]


def samples(run, window=None) -> list:
    window = window or StructureConfig().window
    config = StructureConfig("scripted", window, after_last=0.0, unasked=0.0)
    talks = [o.records[0] for o in conversations(run)]
    refined = [refine(c, Oracle(), RefineConfig(), 0).records[0] for c in talks]
    return [s for c in refined for s in structure(c, open_codec("scripted"), config).records]


# ---- scenes ------------------------------------------------------------------------------------


def test_scenes_are_cut_where_the_picture_changes_and_cover_the_clip():
    dark, light = np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 200, np.uint8)
    images = [dark] * 20 + [light] * 16 + [dark] * 4  # 10 s, 8 s, 2 s
    config = SynthesizeConfig(min_scene_s=4, max_scene_s=60)
    # the last is too short
    assert [(s.first, s.stop) for s in scenes.cut(images, config)] == [(0, 10), (10, 20)]
    assert [
        (s.first, s.stop) for s in scenes.cut([dark] * 50, replace(config, max_scene_s=10))
    ] == [
        (0, 8),
        (8, 17),
        (17, 25),
    ]
    assert list(scenes.differences(images)[[0, 9, 10, 18]]) == [0.0, 0.0, 200.0, 200.0]


# ---- synthesize ----------------------------------------------------------------------------------


def test_the_truth_is_verified_and_nothing_is_rejected(run):
    for out in conversations(run):
        (c,) = out.records
        assert out.rejections == [] and out.counts["times refused"] == 0
        assert out.counts["times checked"] == sum(len(q.answers) for q in c.questions) > 0
        assert {q.kind for q in c.questions} == set(Kind)
        assert [q.chunk for q in c.questions] == sorted(q.chunk for q in c.questions)


@pytest.mark.parametrize(
    ("late", "reasons"),
    [(1, {"not visible at its time"}), (-1, {"not visible at its time", "contradicts itself"})],
)
def test_lies_about_times_are_caught_and_counted(run, late, reasons):
    liar = Liar(late)
    honest = [o.records[0] for o in conversations(run)]
    lied = conversations(run, liar, repair_s=0)
    waiting = [q for c in honest for q in c.questions if q.kind is not Kind.REAL_TIME and q.answers]
    assert waiting and sum(o.counts["times refused"] for o in lied) >= len(waiting) - 1
    assert {r.reason for o in lied for r in o.rejections} <= reasons
    left = [q for o in lied for q in o.records[0].questions]
    assert [q for q in left if q.answers and q.kind is not Kind.REAL_TIME] == []
    assert [q for q in left if q.kind is Kind.REAL_TIME] == [
        q for c in honest for q in c.questions if q.kind is Kind.REAL_TIME
    ]


@pytest.mark.parametrize("late", [1, -1, 2])
def test_times_that_are_a_little_off_are_put_right(run, late):
    honest = conversations(run)
    for told, out in zip(honest, conversations(run, Liar(late)), strict=True):
        waiting = [q for q in told.records[0].questions if q.kind is not Kind.REAL_TIME]
        assert out.records == told.records and out.rejections == []
        assert out.counts["times put right"] == sum(len(q.answers) for q in waiting) > 0


class Seer(Oracle):
    """Sees events a second early, so every answer is visible too early."""

    def visible(self, clip, question, answer, chunk):
        return True


def test_an_answer_that_was_visible_before_is_refused(run):
    for honest, out in zip(conversations(run), conversations(run, Seer()), strict=True):
        early = [
            q for q in honest.records[0].questions if q.kind is not Kind.REAL_TIME and q.answers
        ]
        assert [r.reason for r in out.rejections] == ["visible before its time"] * len(early)


@pytest.mark.parametrize(("true", "kept"), [((8, 12, 20), 1), ((8, 12), 0), ((8, 12, 17), 0)])
def test_one_wrong_time_refuses_the_whole_question(run, true, kept):
    folder, clips = run
    answers = tuple(Answer(c, "it moved", c) for c in (8, 12, 20))
    draft = Draft("d", Kind.MULTI_RESPONSE, 3, "tell me every time it moves", answers, "okay", 1)

    class Author(Oracle):
        def questions(self, clip, scene):
            return [draft]

        def visible(self, clip, question, answer, chunk):
            return chunk in true

    out = synthesize(clips[0], folder, Author(), SynthesizeConfig())
    assert (
        len(out.records) == kept
        and out.counts["times checked"] == 3
        and out.counts["times refused"] == 1 - kept
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"chunk": 70, "answers": (Answer(70, "x", 70),)}, "asked outside its scene"),
        ({"kind": Kind.PROACTIVE, "answers": (Answer(80, "x", 80),)}, "time outside the clip"),
        ({"kind": Kind.PROACTIVE, "answers": (Answer(1, "x", 1),)}, "contradicts itself"),
        ({"kind": Kind.PROACTIVE, "acknowledgment": ""}, "contradicts itself"),
        ({"level": 9}, "contradicts itself"),
    ],
)
def test_a_draft_with_impossible_times_is_rejected_before_anybody_is_asked(run, changes, reason):
    folder, clips = run
    draft = replace(
        Draft("d", Kind.REAL_TIME, 5, "what?", (Answer(5, "x", 5),), "okay", 1), **changes
    )

    class Author(Oracle):
        def questions(self, clip, scene):
            return [draft]

        def visible(self, clip, question, answer, chunk):
            raise AssertionError("not to be asked")

    out = synthesize(clips[0], folder, Author(), SynthesizeConfig())
    assert [r.reason for r in out.rejections] == [reason, "no question left"] and out.records == []


def test_scenes_with_gaps_are_refused_and_the_cuts_stand(run):
    folder, clips = run

    class Author(Oracle):
        def scenes(self, clip, cuts):
            return [Scene(0, 10, ""), Scene(12, SECONDS, "")]

    out = synthesize(clips[0], folder, Author(), SynthesizeConfig(ask_scenes=True))
    assert [r.reason for r in out.rejections] == ["scenes: gap or overlap"]
    assert out.records[0].scenes == (Scene(0, SECONDS, ""),)


def test_an_authors_scenes_get_the_settings_limits(run):
    folder, clips = run

    class Author(Oracle):
        def scenes(self, clip, cuts):
            return [Scene(0, 2, "a"), Scene(2, 24, "b"), Scene(24, SECONDS, "c")]

    config = SynthesizeConfig(max_scene_s=20)
    (talk,) = synthesize(clips[0], folder, Author(), config).records
    assert talk.scenes == (
        *(Scene(0, 12, "a b"), Scene(12, 24, "a b")),
        *(Scene(24, 42, "c"), Scene(42, SECONDS, "c")),
    )


# ---- refine --------------------------------------------------------------------------------------


def test_one_of_five_is_kept_and_answered_and_the_others_are_rephrased(run):
    oracle = Oracle()
    changed, levels = 0, set()
    for before in (o.records[0] for o in conversations(run)):
        out = refine(before, oracle, RefineConfig(), 0)
        (after,) = out.records
        assert refine(before, oracle, RefineConfig(), 0).records == [after]
        now = sum(q.kind is Kind.REAL_TIME for q in before.questions)
        assert out.counts["siblings kept"] + out.counts["drafts kept"] == now
        for q, old in zip(after.questions, before.questions, strict=True):
            assert (q.id, q.kind, q.chunk) == (old.id, old.kind, old.chunk)
            changed += q.text != old.text
            if q.kind is Kind.REAL_TIME:
                levels.add(q.level)
                assert oracle.answer(before.clip, q.text, q.chunk) == q.answers[0]
            else:
                assert (q.answers, q.draft) == (old.answers, old.text)
    assert changed > 10 and len(levels) >= 4


def test_a_rephrased_request_waits_for_the_same():
    oracle, c = Oracle(), clip(SECONDS)
    texts = {
        oracle.rephrase(
            c,
            replace(standing(3, [], Kind.PROACTIVE, "tell me when a red cube appears"), id=f"q{i}"),
        )
        for i in range(40)
    }
    before = (
        "tell me when",
        "let me know when",
        "alert me when",
        "tell me if",
        "say something when",
        "warn me when",
        "i want to know when",
    )
    assert texts == {f"{t} a red cube appears" for t in before} | {
        "when a red cube appears tell me"
    }
    assert (
        oracle.rephrase(c, standing(3, [], Kind.PROACTIVE, "please look out")) == "please look out"
    )


def test_siblings_of_no_new_difficulty_and_wrong_answers_leave_the_draft(run):
    _, clips = run

    class Author(Oracle):
        def siblings(self, clip, question, count):
            return [Sibling("same again?", question.level), Sibling("nobody knows this", 5)]

    q = replace(real_time(5), level=1)
    c = Conversation(clips[0], (Scene(0, SECONDS, ""),), (q,))
    seen = set()
    for seed in range(8):
        out = refine(c, Author(), RefineConfig(), seed)
        assert out.records[0].questions == (q,)
        seen |= {r.reason for r in out.rejections}
    assert seen == {"sibling of no new difficulty", "sibling: unknown question"}


def test_one_question_a_second_and_none_in_the_second_of_an_answer():
    watch = standing(2, [(9, "it moved")], Kind.PROACTIVE)
    clash = [real_time(2), real_time(9), real_time(4)]
    out = refine(
        Conversation(clip(20), (), (watch, *clash)), _Silent(), RefineConfig(siblings=0), 0
    )
    assert [q.id for q in out.records[0].questions] == ["s2", "r4"]
    assert [(r.item, r.reason) for r in out.rejections] == [
        ("r2", "two questions in one second"),
        ("r9", "asked in the second of another's answer"),
    ]


class _Silent(Oracle):
    def siblings(self, clip, question, count):
        return []


# ---- verify --------------------------------------------------------------------------------------


def test_true_samples_pass_and_changed_ones_do_not(run):
    oracle, found = Oracle(), samples(run)
    assert len(found) > 30
    for s in found:
        assert verify(s, oracle).records == [s]
        if not s.target.acknowledgment:
            wrong = replace(s, target=replace(s.target, answer="a purple elephant"))
            assert [r.reason for r in verify(wrong, oracle).rejections] == ["not grounded"]


def test_a_sample_whose_question_is_forgotten_is_dropped(run):
    late = next(
        s
        for s in samples(run)
        if s.target.kind is not Kind.REAL_TIME and not s.target.acknowledgment
    )
    other = replace(late, turns=late.turns[-1:], history=())
    assert [r.reason for r in verify(other, Oracle()).rejections] == ["the question is forgotten"]


def test_a_sample_whose_evidence_has_left_the_window_is_dropped(run):
    s = next(s for s in samples(run, WindowConfig(keep=10, max=20)) if s.first > 0)
    gone = replace(s, target=replace(s.target, evidence=s.first - 1))
    assert [r.reason for r in verify(gone, Oracle()).rejections] == ["the evidence is out of view"]


def test_a_sample_that_ends_in_silence_is_not_judged(run):
    class Judge(Oracle):
        def ungrounded(self, sample):
            raise AssertionError("not to be asked")

    config = StructureConfig("scripted", after_last=1.0, unasked=1.0)
    talk = conversations(run)[0].records[0]
    silent = [s for s in structure(talk, open_codec("scripted"), config).records if s.target.silent]
    made = [verify(s, Judge()) for s in silent]
    assert [o.records for o in made] == [[s] for s in silent]
    assert [dict(o.counts) for o in made] == [
        {"samples after the last answer": 1},
        {"samples without a question": 1},
    ]


# ---- the oracle ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("sim:500000", "held out for tests"),
        ("film.mp4", "not a simulated clip"),
        ("sim:x", "not a simulated clip"),
    ],
)
def test_the_oracle_knows_only_worlds_that_are_not_held_out(source, told):
    with pytest.raises(InputError, match=told):
        seed_of(source)


def test_the_oracle_answers_what_is_asked_and_nothing_else():
    with pytest.raises(ItemError, match="unknown question"):
        Oracle().answer(clip(20), "what is the meaning of this?", 3)
