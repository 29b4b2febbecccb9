"""Says in a node's log what happens to its sound device."""

from __future__ import annotations

from typing import Any

from aura_core.speech.device import DeviceState


class DeviceLog:
    """Writes a line when a device is lost, comes back, or holds more sound than before.

    Args:
        logger: the node's logger.
        back: what is said when it is there again, such as "hearing".
    """

    def __init__(self, logger: Any, back: str) -> None:
        self._logger, self._back = logger, back
        self._reason = ""
        self._held_s = 0.0

    def note(self, state: DeviceState) -> None:
        """Compare with the last state, and write what has changed."""
        if state.reason != self._reason:
            self._reason = state.reason
            if state.reason:
                self._logger.error(state.reason)
            else:
                self._logger.info(f"{self._back} {state.device}")
        elif state.steadied_s > self._held_s:
            self._logger.warning(
                f"audio: {state.device} stuttered, because this machine is busy: it is asked to"
                f" hold {1000 * state.steadied_s:.0f} ms of sound from now on"
            )
        self._held_s = max(self._held_s, state.steadied_s)
