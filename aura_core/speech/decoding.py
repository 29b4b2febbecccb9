"""Recognition of whole utterances, on a thread of its own once it is opened.

A recogniser such as whisper takes a second for an utterance. On the thread that takes sound from
the microphone, the speech input would be deaf in that second.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from aura_core.speech.asr.base import Recognition
from aura_core.words import PIECE, spoken_words

Recognise = Callable[[NDArray[np.int16]], Recognition]


class Decoder:
    """Runs a recogniser. Until `open` it works at once, on the caller's thread."""

    def __init__(self, recognise: Recognise) -> None:
        self._recognise = recognise
        self._thread: ThreadPoolExecutor | None = None
        self._done: Callable[[], None] = lambda: None

    @property
    def ahead(self) -> bool:
        """Whether there is a thread, so that it pays to decode before the end of an utterance."""
        return self._thread is not None

    def open(self, done: Callable[[], None] | None = None) -> None:
        """Start the thread. `done` is called on it after each utterance."""
        self._done = done or self._done
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="decoder")

    def close(self) -> None:
        """End the thread, after the utterance under way. Those that wait are cancelled."""
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.shutdown(cancel_futures=True)

    def submit(self, samples: NDArray[np.int16]) -> Future[Recognition]:
        """Recognise samples (n,) int16 at 16 kHz. The result is there when the future is done."""
        if self._thread is not None:
            future = self._thread.submit(self._recognise, samples)
            future.add_done_callback(lambda _: self._done())
            return future
        future = Future()
        try:
            future.set_result(self._recognise(samples))
        except (RuntimeError, ValueError, MemoryError) as error:
            future.set_exception(error)
        return future


def agreed(before: str, now: str) -> str:
    """Return the beginning of `now` on which two transcripts of a growing sound agree.

    The last words of a transcript change when more sound comes: "the soup boil" becomes "the soup
    boils over".
    """
    end = 0
    for old, new in zip(PIECE.finditer(before), PIECE.finditer(now), strict=False):
        if spoken_words(old.group()) != spoken_words(new.group()):
            break
        end = new.end()
    return now[:end].rstrip()
