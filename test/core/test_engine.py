"""The core loop with the scripted backend: what one step costs, says, counts and forgets."""

from __future__ import annotations

from dataclasses import replace

import pytest
from engine_rig import FREE, HALF, cached, chunk, frame, free, recomputed

from aura_core.config import GenerationConfig, WindowConfig
from aura_core.errors import ModelError
from aura_core.models.backend import Video
from aura_core.models.scripted import ScriptedBackend
from aura_core.replay.lockstep import Lockstep
from aura_core.stream.engine import StreamEngine
from aura_core.types import Chunk, Kind


def test_a_silent_step_is_one_forward_one_encode_and_no_decode():
    backend = ScriptedBackend({})
    assistant = Lockstep(StreamEngine(backend, free()))
    for i in range(5):
        step = chunk(assistant, i)
        assert (step.chunk, step.state, step.response) == (i, "silent", None)
        assert (step.forwards, step.vision_encodes, step.decode_tokens) == (1, 1, 0)
        assert (step.stamp_ns, step.window_chunks, step.switched) == (
            (2 * i + 1) * HALF,
            i + 1,
            False,
        )
        assert step.window_tokens == assistant.engine.session.length
    assert backend.encodes == [0, 1, 2, 3, 4]
    assert assistant.step() is None


def test_an_answer_is_published_while_it_is_generated():
    assistant = Lockstep(StreamEngine(ScriptedBackend({1: "Hé!"}), free()))
    assert chunk(assistant, 0).state == "silent"
    assistant.ask("What?")
    told: list[str] = []
    step = chunk(assistant, 1, lambda _id, text: told.append(text))
    assert told == ["H", "H", "Hé", "Hé!"]
    assert step.response is not None and step.response.text == "Hé!" and step.response.final
    assert (
        step.response.stamp_ns == 3 * HALF
        and step.question == "What?"
        and step.question_id == "run-q1"
    )
    # four tokens and the end token
    assert step.decode_tokens == 4 and step.forwards == 5
    assert cached(assistant) == recomputed(assistant)


def test_prefill_tokens_are_the_new_turn_and_the_tail_of_the_last():
    assistant = Lockstep(StreamEngine(ScriptedBackend({1: "Yes."}), free()))
    first, second, third = (chunk(assistant, i) for i in range(3))
    assert first.prefill_tokens == first.window_tokens
    # 4 letters were decoded
    assert second.prefill_tokens + 4 == second.window_tokens - first.window_tokens
    assert third.prefill_tokens == third.window_tokens - second.window_tokens
    assert second.prefill_tokens < first.prefill_tokens  # the system turn is read once


@pytest.mark.parametrize("limit", [1, 3, 5, 6])
def test_the_longest_answer(limit):
    assistant = Lockstep(
        StreamEngine(
            ScriptedBackend({0: "hello"}),
            free(generation=GenerationConfig(max_new_tokens=limit)),
        )
    )
    step = chunk(assistant, 0)
    assert step.response is not None and step.response.text == "hello"[:limit]
    assert step.decode_tokens == min(limit, 5)
    assert cached(assistant) == recomputed(assistant)
    chunk(assistant, 1)
    assert cached(assistant) == recomputed(assistant)


def test_a_threshold_reaches_the_decision():
    config = free(decider=replace(FREE, threshold=0.9999))
    step = chunk(Lockstep(StreamEngine(ScriptedBackend({}), config)), 0)
    assert step.state == "speak" and step.decision.p_silent < 0.9999


def test_reset_forgets_everything():
    backend = ScriptedBackend({1: "Yes."})
    config = free(window=WindowConfig(keep=1, max=2))
    assistant = Lockstep(StreamEngine(backend, config))

    def run() -> list[dict]:
        assistant.ask("Tell me when it rains.")
        lines = [chunk(assistant, i).as_json() for i in range(5)]
        return [{k: v for k, v in line.items() if not k.endswith("_ms")} for line in lines]

    first = run()
    assistant.push(frame(20))
    assistant.ask("left over?")
    assistant.reset()
    assert (
        assistant.ready == 0
        and assistant.engine.session.length == 0
        and assistant.engine.conversation.attribution.entries == []
    )
    assert run() == first


def test_a_model_that_fails_loses_a_chunk_but_no_question():
    class Failing(ScriptedBackend):
        broken = True

        def encode(self, c: Chunk) -> Video:
            if self.broken:
                raise ModelError("the server is gone")
            return super().encode(c)

    backend = Failing({1: "Yes."})
    assistant = Lockstep(StreamEngine(backend, free()))
    assistant.ask("Are you there?")
    with pytest.raises(ModelError, match="the server is gone"):
        chunk(assistant, 0)
    assert (
        assistant.engine.window.turns == []
        and assistant.engine.conversation.attribution.entries == []
    )
    backend.broken = False
    step = chunk(assistant, 1)
    assert (
        step.question == "Are you there?"
        and step.response is not None
        and step.response.kind is Kind.REAL_TIME
    )
    assert cached(assistant) == recomputed(assistant)
