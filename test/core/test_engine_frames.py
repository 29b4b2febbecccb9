"""Frames into the core loop: what is refused, dropped, seen late, urgent, or the last."""

from __future__ import annotations

import numpy as np
import pytest
from engine_rig import cached, chunk, frame, recomputed

from aura_core.config import AssistantConfig, GenerationConfig
from aura_core.errors import InputError
from aura_core.models.scripted import ScriptedBackend
from aura_core.stream.engine import StreamEngine
from aura_core.types import Frame


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
    assistant = StreamEngine(ScriptedBackend())
    with pytest.raises(InputError, match=r"a frame must be uint8 \(height, width, 3\), not"):
        assistant.push(Frame(image, 0))
    assert assistant.sampling.counters.frames == 0


def test_a_backlog_drops_the_oldest_chunks_and_counts_them():
    assistant = StreamEngine(ScriptedBackend(), backlog=2)
    for slot in range(10):
        assistant.push(frame(slot))
    assert (assistant.ready, assistant.dropped_chunks) == (2, 3)
    assert assistant.next_chunk is not None and assistant.next_chunk.index == 3
    assert [s.chunk for s in (assistant.step(), assistant.step()) if s] == [3, 4]
    assert assistant.step() is None and assistant.next_chunk is None


def test_what_closes_during_an_answer_is_seen_together_and_the_newest_decides():
    backend = ScriptedBackend({0: "A long answer.", 2: "Missed.", 3: "Now!"})
    assistant = StreamEngine(backend, backlog=2)

    def meanwhile(text: str) -> None:
        if text == "A lo":
            for slot in range(2, 8):  # chunks 1, 2 and 3: one more than may wait
                assistant.push(frame(slot))
            assistant.ask("What?")  # asked after all of them

    first, second = chunk(assistant, 0, meanwhile), assistant.step()
    assert (
        first.response is not None
        and first.response.text == "A long answer."
        and assistant.dropped_chunks == 1
    )
    assert second is not None and (second.chunk, second.missed_chunks, second.vision_encodes) == (
        3,
        1,
        2,
    )
    assert (
        second.response is not None and second.response.text == "Now!" and second.question is None
    )
    assert second.forwards == 1 + second.decode_tokens and cached(assistant) == recomputed(
        assistant
    )
    assert [t.chunk for t in assistant.window.turns] == [0, 2, 3] and assistant.step() is None
    assert chunk(assistant, 4).question == "What?" and backend.encodes == [0, 2, 3, 4]


@pytest.mark.parametrize("interruptible", [False, True])
def test_an_urgent_chunk_ends_an_answer_only_where_that_is_wanted(interruptible):
    backend = ScriptedBackend({0: "A long answer.", 2: "Fire!"})
    config = AssistantConfig(generation=GenerationConfig(interruptible=interruptible))
    assistant = StreamEngine(backend, config, backlog=4)

    def meanwhile(text: str) -> None:
        if text in ("A l", "A lon"):  # a silent chunk, then the urgent one
            first = 2 if text == "A l" else 4
            assistant.push(frame(first))
            assistant.push(frame(first + 1))

    first, second = chunk(assistant, 0, meanwhile), assistant.step()
    assert first.response is not None and second is not None and second.response is not None
    assert first.response.text == ("A lon" if interruptible else "A long answer.")
    assert (second.chunk, second.response.text, second.missed_chunks) == (2, "Fire!", 1)
    assert cached(assistant) == recomputed(assistant) and backend.encodes == [0, 1, 2]


def test_flush_decides_the_half_filled_chunk():
    assistant = StreamEngine(ScriptedBackend())
    assistant.push(frame(0))
    assert assistant.step() is None
    assistant.flush()
    step = assistant.step()
    assert step is not None and step.stamp_ns == 0
    assistant.flush()
    assert assistant.step() is None
