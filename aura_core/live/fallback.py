"""The model that runs, and the one that takes over while it fails.

    failed, failed, failed -> leave for the fallback -> probe in the background -> return

It decides when to change. The host changes at a chunk boundary: token ids differ between models, so
each engine's conversation is opened again on the other one (`StreamEngine.adopt`).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from aura_core.config import FallbackConfig
from aura_core.errors import ModelError, one_line
from aura_core.models.backend import Backend

log = logging.getLogger(__name__)
Load = Callable[[], Backend]


class Models:
    """A model and its fallback.

    All methods but `_probe` are called on the model's thread. `state`, `changes` and `away` may be
    read from any thread.

    Args:
        load: opens the model.
        fallback: opens the other one; None: there is none, and nothing is ever changed.
        config: when to change.
        attempt: makes a step on a model; raises what the model raises.
        names: what the two are called before they are loaded.
    """

    def __init__(
        self,
        load: Load,
        fallback: Load | None,
        config: FallbackConfig,
        attempt: Callable[[Backend], None],
        names: tuple[str, str],
    ) -> None:
        self.config = config
        self._load, self._load_other, self._attempt = load, fallback, attempt
        self._names = names
        self._stop = threading.Event()
        self.reset()

    def reset(self) -> None:
        """Forget both models, and what was counted."""
        self.close()
        self.away = False  # the fallback runs
        self.state = ""  # what diagnostics tell while the fallback runs
        self.changes = 0
        self.trouble = False  # the newest step failed, and the other model has not failed yet
        self._failures = 0  # steps in a row
        self._reason = ""  # of the newest failure
        self._answered = 0  # probes in a row that the model answered while it was away
        self._model: Backend | None = None
        self._other: Backend | None = None
        self._left_s = 0.0

    def close(self) -> None:
        """End the probes. The thread of one that is under way ends by itself."""
        self._stop.set()

    def begin(self, start: Callable[[Backend], None]) -> Backend:
        """Load both models, and start on the first that works.

        Args:
            start: opens the engines on a model, and makes a first step.

        Returns:
            The model that runs.

        Raises:
            Exception: whatever the model raises, where it does not work and there is no fallback;
                whatever a fallback raises that cannot be loaded.
        """
        if self._load_other is not None:
            self._other = self._load_other()
        try:
            self._model = self._load()
            start(self._model)
            return self._model
        except Exception as e:  # a model is foreign code, see `Recovery`
            if self._other is None:
                raise
            log.debug("the model does not start", exc_info=e)
            self.failed(one_line(e))
        try:
            start(self._other)
        except Exception as e:
            both = f"{self._reason}; the fallback model fails too: {one_line(e)}"
            raise ModelError(both) from e
        return self._other

    def check(self) -> str:
        """Make a step on the fallback that waits, whose first one is slow.

        Returns why it does not work now, or "".
        """
        if self._other is None or self.away:
            return ""
        try:
            self._attempt(self._other)
        except Exception as e:
            return f"the fallback model {self._name(True)} does not work now: {one_line(e)}"
        return ""

    def failed(self, reason: str) -> None:
        """A step of the model that runs has failed."""
        self._failures, self._reason = self._failures + 1, reason
        self.trouble = self._other is not None and not self.away

    def worked(self) -> None:
        """A step of the model that runs was made."""
        self._failures, self.trouble = 0, False

    def due(self) -> Backend | None:
        """The model to go on with from the next chunk; None: the one that runs."""
        if self._other is None:
            return None
        if self.away:
            return self._model if self._answered >= self.config.back else None
        return self._other if self._failures >= self.config.after else None

    def changed(self) -> str:
        """The engines run on the other model now. Returns the line for the log."""
        self.away = not self.away
        self.changes += 1
        count, self._failures = self._failures, 0
        model, other = self._name(False), self._name(True)
        if not self.away:
            self.close()
            self.state = ""
            seconds = time.monotonic() - self._left_s
            return f"the model {model} answers again and goes on, after {seconds:.0f} s on {other}"
        self._left_s = time.monotonic()
        since = time.strftime("%H:%M:%S")
        self.state = f"on the fallback model {other} since {since}: {self._reason}"
        self._answered, self._stop = 0, threading.Event()
        threading.Thread(
            target=self._probe, args=(self._stop,), name="aura probe", daemon=True
        ).start()
        if count == 1:
            return f"the model {model} failed once, {other} goes on: {self._reason}"
        return f"the model {model} failed {count} times in a row, {other} goes on: {self._reason}"

    def _name(self, other: bool) -> str:
        backend = self._other if other else self._model
        return self._names[other] if backend is None else backend.name

    def _probe(self, stop: threading.Event) -> None:
        """Make a step on the model that failed, again and again, until it answers."""
        model = self._model
        while self._answered < self.config.back and not stop.wait(self.config.probe_s):
            try:
                model = model or self._load()
                self._attempt(model)
            except Exception as e:
                log.debug("the model still fails", exc_info=e)
                answered = 0
            else:
                answered = self._answered + 1
            if not stop.is_set():
                self._model, self._answered = model, answered
