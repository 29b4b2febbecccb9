"""Resampling of a stream of sound, piece by piece."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from aura_core.errors import InputError

MIN_RATE, MAX_RATE = 4_000, 384_000


class Resampler:
    """Converts mono int16 from `rate` to `out_rate` Hz, continuously over pieces of any size.

    Raises InputError for a rate outside [4000, 384000] Hz.
    """

    def __init__(self, rate: int, out_rate: int = 16_000) -> None:
        for value in (rate, out_rate):
            if not MIN_RATE <= value <= MAX_RATE:
                raise InputError(
                    f"audio: a sample rate of {value} Hz is not in [{MIN_RATE}, {MAX_RATE}]"
                )
        self.rate, self.out_rate = rate, out_rate
        self._graph: Any = None

    def push(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        """Add samples (n,) and return those that are ready.

        Up to a few milliseconds of sound stay inside until more samples come.
        """
        if self.rate == self.out_rate or not len(samples):
            return samples
        import av

        if self._graph is None:
            self._graph = av.AudioResampler(format="s16", layout="mono", rate=self.out_rate)
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples)[None], format="s16", layout="mono"
        )
        frame.sample_rate = self.rate
        return _joined(self._graph.resample(frame))

    def flush(self) -> NDArray[np.int16]:
        """Return the samples that are still inside. The next piece starts a new stream."""
        graph, self._graph = self._graph, None
        return _joined(graph.resample(None)) if graph is not None else np.zeros(0, dtype=np.int16)


def _joined(frames: list[Any]) -> NDArray[np.int16]:
    return np.concatenate([np.zeros(0, dtype=np.int16), *(f.to_ndarray()[0] for f in frames)])
