"""Frames at any rate to chunks of one second: two frames, 0.5 s apart, chosen by their stamps.

Slots of half a second are anchored at the first frame. The first frame in a slot is taken and the
others are sampled out; a slot that got none repeats its neighbour in the chunk; a whole second
without frames is lost, and the next chunk's index says so. Everything that is not taken is counted.
"""

from __future__ import annotations

from dataclasses import dataclass

from aura_core.config import SamplingConfig
from aura_core.types import Chunk, Frame

PER_CHUNK = 2
NS = 1_000_000_000
JUMP_BACK_S = 2.0


@dataclass
class SamplingCounters:
    """What happened to the frames since the last reset."""

    frames: int = 0
    sampled_out: int = 0  # more frames than 2 a second: normal
    late: int = 0  # older than a frame that was already taken
    repeated: int = 0  # slots without a frame, filled with the chunk's other frame
    lost_chunks: int = 0  # whole seconds without a frame
    restarts: int = 0  # the clock jumped back (a bag that loops): anchored anew


class ChunkSampler:
    """Feed frames with `push`; take the chunk that each one closes, if any."""

    def __init__(self, config: SamplingConfig) -> None:
        self.config = config
        self.counters = SamplingCounters()
        self._period_ns = round(NS / config.fps)
        self._tolerance_ns = round(config.tolerance_s * NS)
        self._anchor_ns: int | None = None
        self._base = 0  # index of the chunk at the anchor
        self._slot = -1  # newest slot that holds a frame, since the anchor
        self._open: dict[int, Frame] = {}

    def push(self, frame: Frame) -> Chunk | None:
        """The chunk that this frame closes, or None."""
        self.counters.frames += 1
        closed: Chunk | None = None
        if self._jumped_back(frame.stamp_ns):
            closed = self._restart()
        if self._anchor_ns is None:
            self._anchor_ns = frame.stamp_ns
        slot = self._slot_of(frame.stamp_ns)
        if slot == self._slot:
            self.counters.sampled_out += 1
            return closed
        if slot < self._slot:
            self.counters.late += 1
            return closed
        chunk, in_chunk = divmod(slot, PER_CHUNK)
        if self._open and chunk != self._slot // PER_CHUNK:
            closed = self._close()
        lost_from = self._slot // PER_CHUNK + 1
        self.counters.lost_chunks += max(0, chunk - lost_from)
        self._slot = slot
        self._open[in_chunk] = frame
        # A gap and a completed chunk in one push cannot both happen: a chunk needs two pushes to
        # fill.
        return self._close() if len(self._open) == PER_CHUNK else closed

    def wants(self, stamp_ns: int) -> bool:
        """Whether `push` would take a frame of this stamp. Pure: lets a caller skip converting the
        others."""
        return (
            self._anchor_ns is None
            or self._jumped_back(stamp_ns)
            or self._slot_of(stamp_ns) > self._slot
        )

    @property
    def newest_chunk(self) -> int:
        """Index of the chunk that holds the newest frame taken; -1 before the first."""
        return self._base + self._slot // PER_CHUNK

    @property
    def next_chunk(self) -> int:
        """Index of the chunk that closes next, if the camera goes on."""
        return self._base + self._slot // PER_CHUNK + (0 if self._open else 1)

    def flush(self) -> Chunk | None:
        """Close the half-filled chunk at the end of a stream; further frames of its second come too
        late."""
        if not self._open:
            return None
        closed = self._close()
        self._slot = self._slot // PER_CHUNK * PER_CHUNK + PER_CHUNK - 1
        return closed

    def end_ns(self) -> int | None:
        """End of the chunk that is being filled, in the frames' clock."""
        if self._anchor_ns is None:
            return None
        return self._anchor_ns + (self._slot // PER_CHUNK + 1) * PER_CHUNK * self._period_ns

    def _close(self) -> Chunk:
        assert self._anchor_ns is not None
        index = self._slot // PER_CHUNK
        frames = []
        for i in range(PER_CHUNK):
            frame = self._open.get(i)
            if frame is None:
                self.counters.repeated += 1
                frame = self._open[min(self._open)]
            frames.append(frame)
        span = PER_CHUNK * self._period_ns
        start = self._anchor_ns + index * span
        repeated = PER_CHUNK - len(self._open)
        self._open = {}
        return Chunk(self._base + index, tuple(frames), start, start + span, repeated)

    def _slot_of(self, stamp_ns: int) -> int:
        assert self._anchor_ns is not None
        return (stamp_ns - self._anchor_ns + self._tolerance_ns) // self._period_ns

    def _jumped_back(self, stamp_ns: int) -> bool:
        if self._anchor_ns is None:
            return False
        newest = self._anchor_ns + self._slot * self._period_ns
        return stamp_ns < newest - round(JUMP_BACK_S * NS)

    def _restart(self) -> Chunk | None:
        """Anchor anew after the clock went back; chunk indices go on counting."""
        self.counters.restarts += 1
        closed = self.flush()
        self._base += self._slot // PER_CHUNK + 1
        self._anchor_ns, self._slot = None, -1
        return closed
