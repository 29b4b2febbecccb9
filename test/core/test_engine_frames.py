"""Frames into the core loop: what is refused, dropped, seen late, urgent, or the last."""

from __future__ import annotations

import numpy as np
import pytest
from engine_rig import frame, made

from aura_core.config import AssistantConfig, GenerationConfig
from aura_core.errors import InputError
from aura_core.models.scripted import ScriptedBackend
from aura_core.replay.lockstep import Lockstep
from aura_core.stream.engine import StreamEngine
from aura_core.types import Chunk, Frame


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 4, 1), np.uint8),
    ],
)
def test_frames_that_are_refused(image):
    assistant = Lockstep(StreamEngine(ScriptedBackend()))
    with pytest.raises(InputError, match=r"a frame must be uint8 \(height, width, 3\), not"):
        assistant.push(Frame(image, 0))
    assert assistant.intake.sampler.counters.frames == 0


@pytest.mark.parametrize("interruptible", [False, True])
def test_an_urgent_chunk_ends_an_answer_only_where_that_is_wanted(interruptible):
    backend = ScriptedBackend({0: "A long answer.", 2: "Fire!"})
    config = AssistantConfig(generation=GenerationConfig(interruptible=interruptible))
    engine = StreamEngine(backend, config)
    texts: list[str] = []

    def newest() -> Chunk | None:  # a silent chunk, then the urgent one
        letters = len(texts[-1])
        return made(2) if letters >= 5 else made(1) if letters >= 3 else None

    first = engine.step(made(0), None, lambda _id, text: texts.append(text), newest)
    engine.see(made(1))
    second = engine.step(made(2))
    assert first.response is not None and second.response is not None
    assert first.response.text == ("A lon" if interruptible else "A long answer.")
    assert (second.chunk, second.response.text) == (2, "Fire!")
    assert backend.encodes == [0, 1, 2], "each chunk is encoded once"


def test_flush_decides_the_half_filled_chunk():
    assistant = Lockstep(StreamEngine(ScriptedBackend()))
    assistant.push(frame(0))
    assert assistant.step() is None
    assistant.flush()
    step = assistant.step()
    assert step is not None and step.stamp_ns == 0
    assistant.flush()
    assert assistant.step() is None
