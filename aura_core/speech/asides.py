"""What the robot says when words of a user were lost, so that they are not met with silence."""

from __future__ import annotations

from dataclasses import dataclass

from aura_core.speech.types import NS, Transcript

TEXTS = {
    "beginning_muted": {
        "en": "Sorry, I was speaking. Please say that again.",
        "zh": "抱歉，我刚才在说话，请再说一遍。",
    },
    "too_long": {
        "en": "That was too long for me. Please ask again in fewer words.",
        "zh": "太长了，我没听明白，请再简短地问一遍。",
    },
    "not_understood": {
        "en": "Sorry, I did not understand that. Please say it again.",
        "zh": "抱歉，我没听清，请再说一遍。",
    },
}
# A television would otherwise be answered each time, and the robot by its own echo.
AGAIN_NS = {"beginning_muted": 30 * NS, "too_long": 300 * NS, "not_understood": 10 * NS}
# Less than this after a mute may be what is left of the robot's voice in the room.
ECHO_NS = 300_000_000


@dataclass(frozen=True)
class Aside:
    """Words for the user, because an utterance was rejected for `reason`."""

    reason: str
    text: str


class Asides:
    """Chooses the words, and says them not too often."""

    def __init__(self, language: str) -> None:
        self._language = language
        self._said_ns: dict[str, int] = {}

    def about(self, rejected: Transcript) -> list[Aside]:
        """Return what is to be said about a rejected utterance, if anything."""
        reason, now_ns = rejected.reason, rejected.end_ns
        if reason not in TEXTS or now_ns - rejected.start_ns < ECHO_NS:
            return []
        if now_ns - self._said_ns.get(reason, -(2**62)) < AGAIN_NS[reason]:
            return []
        self._said_ns[reason] = now_ns
        language = rejected.language or self._language
        return [Aside(reason, TEXTS[reason].get(language, TEXTS[reason]["en"]))]
