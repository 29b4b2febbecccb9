"""A plain VLM that was never trained to be silent: the yes/no decision, which leaves no trace."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from engine_rig import FREE, free

from aura_core.config import DeciderConfig, GenerationConfig, WindowConfig
from aura_core.errors import ConfigError, ModelError
from aura_core.models.backend import Piece, Video
from aura_core.models.scripted import Moment, ScriptedBackend
from aura_core.replay.lockstep import Lockstep
from aura_core.stream.engine import StreamEngine
from aura_core.stream.yes_no import tokens_of
from aura_core.types import Frame, Kind, Step

HALF = 500_000_000
PROMPTS = {"yes_no_prompt": "Now? {watches}", "report_prompt": "Say it. {watches}"}
DARK = 50


def plain_vlm(seen: list[str]) -> ScriptedBackend:
    """Describes whatever it sees.

    It answers yes to the yes/no question when it is dark and a watch asks for darkness.
    """

    def say(moment: Moment) -> str | None:
        seen.append(moment.question)
        if moment.question.startswith("Now?"):
            return "Yes" if "dark" in moment.question and moment.now.brightness < DARK else "No"
        if moment.question.startswith("Say it."):
            return "It is dark."
        return (
            "I will."
            if "Tell me" in moment.question
            else f"A scene of brightness {moment.now.brightness}."
        )

    backend = ScriptedBackend(say)
    backend.chat = replace(backend.chat, trained_to_decide=False, silent_id=backend.chat.end_id)
    return backend


def assistant_of(backend: ScriptedBackend, **decider: Any) -> Lockstep:
    config = free(
        decider=replace(FREE, **(PROMPTS | decider)),
        window=WindowConfig(keep=3, max=6, qa_groups=3),
        generation=GenerationConfig(max_new_tokens=64),
    )
    return Lockstep(StreamEngine(backend, config))


def play(assistant: Lockstep, levels: list[int], asks: dict[int, str]) -> list[Step]:
    steps = []
    for i, level in enumerate(levels):
        if i in asks:
            assistant.ask(asks[i])
        for k in range(2):
            assistant.push(Frame(np.full((1, 1, 3), level, np.uint8), (2 * i + k) * HALF))
        step = assistant.step()
        assert step is not None
        steps.append(step)
    return steps


def flat(pieces: list[Piece]) -> list[Any]:
    return [t for p in pieces for t in ([p.features] * len(p) if isinstance(p, Video) else p.ids)]


LEVELS = [200, 200, 200, 20, 200, 200, 200, 200, 20, 200, 200, 200]


def test_a_plain_vlm_is_silent_until_its_watch_is_met_and_the_question_leaves_no_trace():
    seen: list[str] = []
    assistant = assistant_of(plain_vlm(seen))
    steps = play(assistant, LEVELS, {1: "Tell me every time it is dark.", 5: "What is there?"})
    said = {
        s.chunk: (s.response.text, s.response.kind, s.response.query_id)
        for s in steps
        if s.response
    }
    assert said == {
        1: ("I will.", Kind.REAL_TIME, "run-q1"),
        3: ("It is dark.", Kind.MULTI_RESPONSE, "run-q1"),
        5: ("A scene of brightness 200.", Kind.REAL_TIME, "run-q2"),
        8: ("It is dark.", Kind.MULTI_RESPONSE, "run-q1"),
    }
    assert (
        seen[0] == "Now? whatever the instructions call for"
        and "Now? Tell me every time it is dark." in seen
    )
    silent = [s for s in steps if s.response is None]
    assert all(
        s.forwards == 1 and s.decode_tokens == 0 and s.decision.p_silent > 0.9 for s in silent
    )
    assert all(steps[k].decision.p_silent < 0.1 for k in (3, 8))
    waiting = flat(assistant.engine.policy.kv.waiting)
    assert [*assistant.engine.session.tokens, *waiting] == flat(
        assistant.engine.window.pieces(assistant.engine.codec)
    )
    text = bytes(
        t for t in assistant.engine.session.tokens if isinstance(t, int) and t < 256
    ).decode()
    assert "Now?" not in text and "Say it. Tell me every time it is dark." in text


def test_without_the_yes_no_question_the_same_model_talks_all_the_time():
    assistant = assistant_of(plain_vlm([]), mode="token")
    assert all(s.response is not None for s in play(assistant, LEVELS, {}))


def test_a_checkpoint_that_was_trained_to_decide_is_not_asked_unless_it_is_told():
    assert assistant_of(ScriptedBackend()).engine.yes_no is None
    assert assistant_of(ScriptedBackend(), mode="yes_no").engine.yes_no is not None


def test_threshold_and_minimum_gap_hold_for_the_yes_no_mode_too():
    asks = {0: "Tell me every time it is dark."}
    eager = play(assistant_of(plain_vlm([]), threshold=0.9999), [200] * 4, asks)
    assert [s.decision.reason for s in eager[1:]] == ["threshold"] * 3 and not any(
        s.decision.silent for s in eager
    )
    spaced = play(assistant_of(plain_vlm([]), min_gap_s=3.0), [20] * 7, asks)
    assert [s.chunk for s in spaced if s.response] == [0, 1, 4]
    assert {s.decision.reason for s in spaced if s.chunk in (2, 3, 5, 6)} == {"min_gap"}


@pytest.mark.parametrize(
    "prompt", ["now?", "{watches} {watches}", "{watches} {x}", "{0} {watches}"]
)
def test_a_prompt_without_its_place_is_refused(prompt):
    with pytest.raises(ConfigError, match=r"decider.yes_no_prompt must contain \{watches\} once"):
        DeciderConfig(yes_no_prompt=prompt)


# ---- the words ----------------------------------------------------------------------------------

VOCABULARY = ["yes", "Yes", " yes", "ja", "Ja", " JA", "no", "No", " no", "nein", "y", "n", "Y"]


def words_only(text: str) -> list[int]:
    """A tokenizer whose tokens are the words above, and single characters."""
    if text in VOCABULARY:
        return [VOCABULARY.index(text)]
    return [len(VOCABULARY) + ord(c) for c in text]


def names(ids: Any) -> set[str]:
    return {VOCABULARY[i] for i in ids}


def test_every_single_token_that_means_a_word_counts() -> None:
    assert names(tokens_of(["yes"], words_only)) == {"yes", "Yes", " yes"}
    assert names(tokens_of(["yes", "ja"], words_only)) == {"yes", "Yes", " yes", "ja", "Ja", " JA"}
    assert names(tokens_of(["oui", "nein"], words_only)) == {"nein"}, "oui is no single token"


def test_without_a_single_token_the_beginnings_of_the_first_word_count() -> None:
    n = len(VOCABULARY)
    assert tokens_of(["oui", "si"], words_only) == {n + ord(c) for c in "oO "}


def test_p_yes_is_that_of_all_its_tokens_together() -> None:
    engine = assistant_of(plain_vlm([]), mode="yes_no").engine
    assert engine.yes_no is not None
    no, yes = engine.yes_no.ids
    assert set(map(chr, yes)) == {"y", "Y"} and set(map(chr, no)) == {"n", "N"}
    logits = np.full(261, -50.0, np.float32)
    for token, p in ((yes[0], 0.3), (yes[1], 0.2), (no[0], 0.4), (no[1], 0.1)):
        logits[token] = np.log(p)
    verdict = engine.yes_no.verdict(logits)
    assert np.exp(verdict) == pytest.approx([0.5, 0.5])


def test_words_in_other_languages_are_a_setting_and_must_differ() -> None:
    engine = assistant_of(plain_vlm([]), mode="yes_no", yes_words=("ja",), no_words=("nein",))
    assert [set(map(chr, ids)) for ids in engine.engine.yes_no.ids] == [{"n", "N"}, {"j", "J"}]
    with pytest.raises(ModelError, match="does not tell yes from no by its first token"):
        assistant_of(plain_vlm([]), mode="yes_no", yes_words=("naturally",))


@pytest.mark.parametrize("words", [(), ("",), (" yes",)])
def test_words_with_blanks_are_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match=r"decider\.yes_words must be words"):
        DeciderConfig(yes_words=words)
