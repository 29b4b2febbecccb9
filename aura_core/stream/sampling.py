"""Frames at any rate to chunks of one second: two frames, 0.5 s apart, chosen by their stamps.

`Slots` is the sampling rule. The engine and every source of frames use it, so a source can skip
frames that the engine would not take.

A picture stands until the next one: in a recording, a slot without a frame gets the picture that
was newest then (`Slots.empty`). Live it is not known whether a next one comes, so a picture stands
only for the time that `sampling.hold_s` allows. A slot that stays empty repeats the other frame of
its chunk; a second without any frame is lost, and the index of the next chunk skips it. Every frame
that is not taken is counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from aura_core.config import SamplingConfig
from aura_core.types import NS, Chunk, Frame

PER_CHUNK = 2
JUMP_BACK_NS = 2 * NS  # a stamp further back than this means a restarted clock
# A stamp further ahead than this means another clock: ahead of the frames' arrival, where that is
# known, or so far ahead of the newest frame that both clocks were set.
JUMP_AHEAD_NS, LONG_PAUSE_NS = 60 * NS, 3600 * NS
STUCK_NS = 2 * NS  # a stamp that repeats for longer than this does not tell the time


@dataclass
class SamplingCounters:
    """What happened to the frames of one sampler."""

    frames: int = 0
    sampled_out: int = 0  # more frames than 2 a second: normal
    late: int = 0  # of an earlier slot than a frame that was already taken
    repeated: int = 0  # slots without a frame, filled with the chunk's other frame
    lost_chunks: int = 0  # whole seconds without a frame
    restarts: int = 0  # the clock jumped (a bag that loops), and slots are counted anew


class Slots:
    """The sampling rule: the first frame in each slot of 1/fps seconds is taken.

    Slots are counted from the first frame taken. A frame that comes up to `tolerance_s` early
    belongs to the next slot already. A stamp more than 2 s before the newest full slot means that
    the clock began anew (a bag that loops), and so does one that is far ahead. `arrived_ns`, where
    it is known, is the time at which the frame came, by a clock that does not jump.

    Args:
        fps: slots a second; None: every frame is taken.
        tolerance_s: how early a frame may come, in seconds; at most 0.4 slots are used.
        hold_s: how long a picture may stand, in seconds; None: until the next one.
    """

    def __init__(
        self, fps: float | None, tolerance_s: float = 0.05, hold_s: float | None = None
    ) -> None:
        self._hold_ns = None if hold_s is None else round(hold_s * NS)
        self.period_ns = 0 if fps is None else round(NS / fps)  # 0: every frame is taken
        # A tolerance that was made for 2 FPS must not swallow the slots of a fast camera.
        self._tolerance_ns = 0 if fps is None else round(min(tolerance_s, 0.4 / fps) * NS)
        self.reset()

    def reset(self) -> None:
        """Forget every frame: the next one begins slot 0."""
        self.start_ns: int | None = None  # stamp of the first frame taken; None before it
        self.newest = -1  # the newest slot that is full
        self._taken: tuple[int, int | None] = 0, None  # stamp and arrival of the newest frame taken

    def begin(self, slot: int) -> None:
        """Begin with this slot of a stream whose first frame has stamp 0, and which is not read
        from its beginning."""
        self.start_ns, self.newest = 0, slot - 1
        self._taken = slot * self.period_ns, None

    def wants(self, stamp_ns: int, arrived_ns: int | None = None) -> bool:
        """Whether a frame of this stamp is taken. Changes nothing."""
        if not self.period_ns or self.restarts(stamp_ns, arrived_ns):
            return True
        return self.slot_of(stamp_ns) > self.newest

    def took(self, stamp_ns: int, arrived_ns: int | None = None) -> None:
        """Record that the frame of this stamp was taken: its slot is full.

        A frame that could not be converted is not recorded. Its slot then waits for the next frame.
        """
        if not self.period_ns:
            return
        if self.restarts(stamp_ns, arrived_ns):
            self.reset()
        if self.start_ns is None:
            self.start_ns = stamp_ns
        self.newest, self._taken = self.slot_of(stamp_ns), (stamp_ns, arrived_ns)

    def restarts(self, stamp_ns: int, arrived_ns: int | None = None) -> bool:
        """Whether this stamp says that the clock began anew."""
        if self.start_ns is None:
            return False
        if stamp_ns < self.start_ns + self.newest * self.period_ns - JUMP_BACK_NS:
            return True
        newest_ns, came_ns = self._taken
        ahead_ns = stamp_ns - newest_ns
        if ahead_ns > LONG_PAUSE_NS or arrived_ns is None or came_ns is None:
            return ahead_ns > LONG_PAUSE_NS
        return ahead_ns - (arrived_ns - came_ns) > JUMP_AHEAD_NS

    def empty(
        self, stamp_ns: int, standing_ns: int, arrived_ns: int | None = None
    ) -> Iterator[int]:
        """The beginnings of the slots that stay empty when the next frame has this stamp, as long
        as the picture of `standing_ns` may stand.

        Whoever fills one calls `took` with its beginning.
        """
        if self.start_ns is None or not self.period_ns or self.restarts(stamp_ns, arrived_ns):
            return
        start_ns = self.start_ns
        for slot in range(self.newest + 1, self.slot_of(stamp_ns)):
            begins_ns = start_ns + slot * self.period_ns
            if self._hold_ns is not None and begins_ns - standing_ns > self._hold_ns:
                return
            yield begins_ns

    def slot_of(self, stamp_ns: int) -> int:
        """The slot of a stamp; 0 before the first frame was taken."""
        if self.start_ns is None:
            return 0
        return (stamp_ns - self.start_ns + self._tolerance_ns) // self.period_ns


class StampClock:
    """The stamp that a frame counts with. A stamp that repeats for longer than 2 s (by the frames'
    arrival) does not tell the time: then it goes on as the time of arrival does."""

    def __init__(self) -> None:
        self.stuck = 0  # frames whose own stamp was not used
        self._stamp: tuple[int, int] | None = None  # the newest stamp, and when it came first

    def of(self, stamp_ns: int, arrived_ns: int) -> int:
        """The stamp to use for a frame of this stamp that came at `arrived_ns`."""
        if self._stamp is None or self._stamp[0] != stamp_ns:
            self._stamp = stamp_ns, arrived_ns
        since_ns = arrived_ns - self._stamp[1]
        if since_ns <= STUCK_NS:
            return stamp_ns
        self.stuck += 1
        return stamp_ns + since_ns


class ChunkSampler:
    """Feed frames with `push`; each call returns the chunk that its frame closes, if any."""

    def __init__(self, config: SamplingConfig) -> None:
        self.config = config
        self.counters = SamplingCounters()
        self._slots = Slots(config.fps, config.tolerance_s, config.hold_s)
        self.newest_ns = 0  # stamp of the newest frame taken
        self._base = 0  # index of the chunk that begins with slot 0
        self._open: dict[int, Frame] = {}  # frames of the chunk that is being filled, by place

    def begin_at(self, chunk: int) -> None:
        """Begin with this chunk of a stream that is not read from its beginning, and whose first
        frame has stamp 0."""
        self._slots.begin(chunk * PER_CHUNK)

    def push(self, frame: Frame) -> Chunk | None:
        """Take a frame. Returns the chunk that it closes, or None."""
        self.counters.frames += 1
        closed: Chunk | None = None
        if self._slots.restarts(frame.stamp_ns, frame.arrived_ns):
            closed = self._restart()
        slot, newest = self._slots.slot_of(frame.stamp_ns), self._slots.newest
        if slot == newest:
            self.counters.sampled_out += 1
            return closed
        if slot < newest:
            self.counters.late += 1
            return closed
        chunk, place = divmod(slot, PER_CHUNK)
        if self._open and chunk != newest // PER_CHUNK:
            closed = self._close()
        self.counters.lost_chunks += max(0, chunk - newest // PER_CHUNK - 1)
        self._slots.took(frame.stamp_ns, frame.arrived_ns)
        self.newest_ns = frame.stamp_ns
        self._open[place] = frame
        # One call cannot close two chunks: a chunk needs two frames to be full, and a gap leaves
        # the new one with a single frame.
        return self._close() if len(self._open) == PER_CHUNK else closed

    def wants(self, stamp_ns: int, arrived_ns: int | None = None) -> bool:
        """Whether `push` would take a frame of this stamp. Changes nothing.

        A caller that asks first need not convert the other frames.
        """
        return self._slots.wants(stamp_ns, arrived_ns)

    def empty(self, stamp_ns: int, standing_ns: int) -> list[int]:
        """See `Slots.empty`."""
        return list(self._slots.empty(stamp_ns, standing_ns))

    @property
    def newest_chunk(self) -> int:
        """Index of the chunk that holds the newest frame taken; -1 before the first."""
        return self._base + self._slots.newest // PER_CHUNK

    @property
    def next_chunk(self) -> int:
        """Index of the chunk that closes next, if the camera goes on."""
        return self.newest_chunk + (0 if self._open else 1)

    def flush(self) -> Chunk | None:
        """Close the half-filled chunk at the end of a stream; None where there is none.

        Further frames of its second are late.
        """
        if not self._open:
            return None
        closed = self._close()
        self._slots.newest = self._slots.newest // PER_CHUNK * PER_CHUNK + PER_CHUNK - 1
        return closed

    def end_ns(self) -> int | None:
        """End of the chunk that is being filled, in the frames' clock; None before the first."""
        if self._slots.start_ns is None:
            return None
        return self._start_ns(self._slots.newest // PER_CHUNK + 1)

    def _close(self) -> Chunk:
        index = self._slots.newest // PER_CHUNK
        frames = []
        for place in range(PER_CHUNK):
            frame = self._open.get(place)
            if frame is None:
                self.counters.repeated += 1
                frame = self._open[min(self._open)]
            frames.append(frame)
        repeated = PER_CHUNK - len(self._open)
        self._open = {}
        start, end = self._start_ns(index), self._start_ns(index + 1)
        return Chunk(self._base + index, tuple(frames), start, end, repeated)

    def _start_ns(self, index: int) -> int:
        """Start of a chunk, counted from the chunk of slot 0."""
        assert self._slots.start_ns is not None
        return self._slots.start_ns + index * PER_CHUNK * self._slots.period_ns

    def _restart(self) -> Chunk | None:
        """The clock began anew: close the open chunk. Chunk indices count on."""
        self.counters.restarts += 1
        closed = self.flush()
        self._base = self.newest_chunk + 1
        self._slots.reset()
        return closed
