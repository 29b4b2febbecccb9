"""A buffer for sound on its way to the loudspeaker.

One thread writes. The device's callback reads. Playback can be stopped at any moment.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aura_core.errors import ConfigError
from aura_core.speech.resample import Resampler
from aura_core.speech.types import Audio

_FADE_S = 0.005  # short enough to be silence at once, long enough not to click
_REMEMBERED = 256  # tags whose counts are kept


@dataclass
class _Run:
    """Samples of one tag that are contiguous in the ring."""

    tag: Hashable
    left: int  # samples still to be played
    dropped: bool = False  # they are skipped when their turn comes


class PlaybackBuffer:
    """A ring buffer of mono int16 at `rate` Hz that holds `capacity_s` seconds.

    Samples that do not fit are refused and counted in `overflow`. The callback's side (`read_into`)
    copies under a lock that no other method holds for longer than a copy.
    """

    def __init__(self, rate: int, capacity_s: float = 60.0) -> None:
        if not 4_000 <= rate <= 384_000 or not 0.1 <= capacity_s <= 600:
            raise ConfigError(
                "playback: rate must be in [4000, 384000] Hz and capacity_s in [0.1, 600]"
            )
        self.capacity_s = capacity_s
        # Held during resampling, which takes time. The callback never takes it. Where both locks
        # are needed, it is taken before `_lock`.
        self._writer = threading.Lock()
        self._lock = threading.Lock()
        self.overflow = 0  # samples refused because the buffer was full
        self.underruns = 0  # how often a sentence ran dry before its last sample was written
        self._configure(rate)

    def _configure(self, rate: int) -> None:
        self.rate = rate
        self._ring = np.zeros(int(rate * self.capacity_s), dtype=np.int16)
        self._read_at = self._queued = 0
        self._runs: deque[_Run] = deque()
        self._fading = np.zeros(0, dtype=np.int16)  # fade-out after a stop, with its ramp applied
        self._played: OrderedDict[Hashable, int] = OrderedDict()
        # tags whose later samples are refused
        self._stopped: OrderedDict[Hashable, None] = OrderedDict()
        # tags whose last sample was written
        self._complete: OrderedDict[Hashable, None] = OrderedDict()
        self._resampler: Resampler | None = None
        self._writing: Hashable | None = None
        self._starved = False

    def restart(self, rate: int) -> None:
        """Empty the buffer and change its rate, because the device now has another one.

        All counts by tag begin again at 0.
        """
        with self._writer, self._lock:
            self._configure(rate)

    def write(self, audio: Audio, tag: Hashable, last: bool = False) -> int:
        """Queue sound of a tag, resampled to `rate`. Returns the number of samples queued.

        Args:
            audio: mono int16 of any rate.
            last: no more sound of this tag follows.

        Tags are written one after another, not mixed. More sound of a tag that `stop` cut is
        refused.
        """
        with self._writer:
            if tag in self._stopped:
                return 0
            if (
                tag != self._writing
                or self._resampler is None
                or self._resampler.rate != audio.rate
            ):
                self._flush()
                self._resampler = Resampler(audio.rate, self.rate)
                self._writing = tag
            with self._lock:
                self._played.setdefault(tag, 0)
                _bound(self._played)
            queued = self._put(self._resampler.push(audio.samples), tag)
            if last:
                queued += self._flush()
                with self._lock:
                    self._complete[tag] = None
            return queued

    def read(self, n: int) -> NDArray[np.int16]:
        """Return the next n samples (n,) int16, with silence where there are none."""
        block = np.empty(n, dtype=np.int16)
        self.read_into(block)
        return block

    def read_into(self, block: NDArray[np.int16]) -> int:
        """Fill `block`, (n,) int16, with the next samples and then silence.

        Returns the number of samples that are not silence. The device's callback calls this.
        """
        with self._lock:
            done = min(len(self._fading), len(block))
            if done:
                block[:done] = self._fading[:done]
                self._fading = self._fading[done:]
            done += self._take(block[done:])
            block[done:] = 0
            starved = (
                done < len(block)
                and self._writing is not None
                and self._writing not in self._complete
            )
            starved = starved and self._played.get(self._writing, 0) > 0
            self.underruns += starved and not self._starved
            self._starved = starved
            return done

    def stop(self) -> dict[Hashable, int]:
        """Drop what is queued. The sound fades out within 5 ms.

        Returns, for each tag that this cut, how many of its samples were played. The fade-out
        counts as played.
        """
        with self._writer, self._lock:
            cut: list[Hashable] = [run.tag for run in self._runs if not run.dropped]
            if self._writing is not None and self._writing not in self._complete:
                cut.append(self._writing)
            self._fade()
            self._read_at = (self._read_at + self._queued) % len(self._ring)
            self._queued = 0
            self._runs.clear()
            self._resampler, self._writing, self._starved = None, None, False
            for tag in cut:
                self._refuse(tag)
            return {tag: self._played.get(tag, 0) for tag in dict.fromkeys(cut)}

    def stop_one(self, tag: Hashable) -> int:
        """Drop what is queued of one tag, and refuse what is still to come of it.

        If it is being played, it fades out within 5 ms, and the next tag follows. Returns how many
        of its samples were played.
        """
        with self._writer, self._lock:
            if self._runs and self._runs[0].tag == tag:
                self._fade(self._runs[0].left)
            for run in self._runs:
                run.dropped = run.dropped or run.tag == tag
            self._skip()
            if self._writing == tag:
                self._resampler, self._writing, self._starved = None, None, False
            self._refuse(tag)
            return self._played.get(tag, 0)

    def _fade(self, most: int | None = None) -> None:
        """Let the next samples, `most` at most, become silent."""
        size = min(int(self.rate * _FADE_S), self._queued if most is None else most)
        fading = np.empty(size, dtype=np.int16)
        size = self._take(fading)
        ramp = np.linspace(1.0, 0.0, size, dtype=np.float32)
        if size:
            faded = (fading[:size] * ramp).astype(np.int16)
            self._fading = np.concatenate([self._fading, faded])

    def _refuse(self, tag: Hashable) -> None:
        """Take no more sound of a tag."""
        self._stopped[tag] = None
        _bound(self._stopped)
        self._complete.pop(tag, None)

    def holds(self, tag: Hashable) -> bool:
        """Whether samples of a tag wait to be played."""
        with self._lock:
            return any(run.tag == tag and not run.dropped for run in self._runs)

    def give_up(self, tag: Hashable) -> int:
        """Refuse more sound of a tag that has run dry.

        Returns how many of its samples were played.
        """
        with self._writer, self._lock:
            if tag == self._writing:
                self._resampler, self._writing, self._starved = None, None, False
            self._stopped[tag] = None
            _bound(self._stopped)
            return self._played.get(tag, 0)

    def played(self, tag: Hashable) -> int:
        """Return how many samples of a tag were given to the device, at `rate`."""
        with self._lock:
            return self._played.get(tag, 0)

    def finished(self) -> list[Hashable]:
        """Return the tags that were played to their end since the last call, in order."""
        with self._writer, self._lock:
            queued = {run.tag for run in self._runs}
            done = [tag for tag in self._complete if tag not in queued]
            for tag in done:
                del self._complete[tag]
                if tag == self._writing:
                    self._writing, self._resampler = None, None
            return done

    @property
    def idle(self) -> bool:
        """Whether nothing is queued and nothing fades out."""
        with self._lock:
            return not self._queued and not len(self._fading)

    def _flush(self) -> int:
        """Queue the samples that are still inside the resampler of the tag being written."""
        if self._resampler is None or self._writing is None:
            return 0
        tail, self._resampler = self._resampler.flush(), None
        return self._put(tail, self._writing)

    def _put(self, samples: NDArray[np.int16], tag: Hashable) -> int:
        with self._lock:
            room = len(self._ring) - self._queued
            self.overflow += max(0, len(samples) - room)
            samples = samples[:room]
            if not len(samples):
                return 0
            at = (self._read_at + self._queued) % len(self._ring)
            first = min(len(samples), len(self._ring) - at)
            self._ring[at : at + first] = samples[:first]
            self._ring[: len(samples) - first] = samples[first:]
            self._queued += len(samples)
            if self._runs and self._runs[-1].tag == tag:
                self._runs[-1].left += len(samples)
            else:
                self._runs.append(_Run(tag, len(samples)))
            return len(samples)

    def _take(self, block: NDArray[np.int16]) -> int:
        """Move the next queued samples to `block`, and count them by tag. Returns their number."""
        done = 0
        while done < len(block) and self._runs:
            run = self._runs[0]
            count = min(run.left, len(block) - done)
            first = min(count, len(self._ring) - self._read_at)
            block[done : done + first] = self._ring[self._read_at : self._read_at + first]
            block[done + first : done + count] = self._ring[: count - first]
            self._played[run.tag] = self._played.get(run.tag, 0) + count
            self._advance(run, count)
            self._skip()
            done += count
        return done

    def _skip(self) -> None:
        """Leave out the samples of dropped tags that come next."""
        while self._runs and self._runs[0].dropped:
            self._advance(self._runs[0], self._runs[0].left)

    def _advance(self, run: _Run, count: int) -> None:
        """Go on by `count` samples of the first run."""
        self._read_at = (self._read_at + count) % len(self._ring)
        self._queued -= count
        run.left -= count
        if not run.left:
            self._runs.popleft()


def _bound(table: OrderedDict[Hashable, object]) -> None:
    while len(table) > _REMEMBERED:
        table.popitem(last=False)
