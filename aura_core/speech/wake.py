"""The wake phrase, with which a user addresses the robot.

It is off, always required, or required after the robot has been silent for some time.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from aura_core.plain import require
from aura_core.settings import Settings, setting
from aura_core.speech.types import NS
from aura_core.words import PIECE, spoken_words

LEAST_SCORE = -7.2  # default of `least_score`
MARKS = " ,.!;:-，。！；：、"  # between the phrase and the question


class WakeMode(StrEnum):
    """When an utterance must begin with the wake phrase."""

    OFF = "off"
    REQUIRED = "required"
    AFTER_SILENCE = "after_silence"  # not needed soon after the robot spoke


@dataclass(frozen=True)
class WakeConfig(Settings, section="wake"):
    """Settings of the wake phrase.

    `aliases` are other spellings that a recogniser may write instead of `phrase`.
    """

    mode: WakeMode = setting(
        WakeMode.OFF,
        "when a question must begin with the wake phrase: off (never), required (always), or"
        " after_silence (when the robot has been silent for wake_after_s)",
        choices=tuple(WakeMode),
        parameter="wake",
    )
    phrase: str = setting("hey aura", "what a question must begin with", parameter="wake_phrase")
    aliases: tuple[str, ...] = setting((), "other spellings of the phrase", parameter=None)
    similar: tuple[str, ...] = setting(
        (),
        "whisper: phrases that sound like the wake phrase and are not it, such as 'Hey Flora' where"
        " a Flora lives; some are known already",
        parameter="wake_similar",
    )
    least_score: float = setting(
        LEAST_SCORE,
        "whisper: how likely the phrase must be (natural logarithm); nearer to 0: fewer false calls"
        " and more phrases that are not heard",
        low=-30.0,
        high=0.0,
        parameter="wake_least_score",
    )
    after_s: float = setting(
        30.0,
        "silence of the robot after which wake: after_silence requires the phrase again",
        unit="s",
        low=1.0,
        high=86_400.0,
        parameter="wake_after_s",
    )
    armed_s: float = setting(
        8.0,
        "after the phrase alone, the next question may come without it for this long",
        unit="s",
        low=0.0,
        high=60.0,
        parameter="wake_armed_s",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        require(bool(spoken_words(self.phrase)), "wake.phrase must have at least one word")
        for phrase in self.similar:
            words = tuple(spoken_words(phrase))
            require(bool(words), "wake.similar has a phrase without any word")
            require(
                words not in self.spellings,
                f"wake.similar: '{phrase}' is the wake phrase itself; nothing would be heard",
            )

    @property
    def written(self) -> str:
        """The phrase as a recogniser of free speech writes it: "Hey Aura"."""
        return self.phrase.title().rstrip(" .,!?")

    @property
    def spellings(self) -> tuple[tuple[str, ...], ...]:
        """The phrase and its aliases as words.

        Longer ones come first, so that a short one does not match the beginning of a long one.
        """
        texts = (
            self.phrase,
            *self.aliases,
        )
        unique = {tuple(spoken_words(t)) for t in texts} - {()}
        return tuple(sorted(unique, key=lambda words: (-len(words), words)))


class WakeRule:
    """Decides for each utterance whether the phrase is needed and whether it is there."""

    def __init__(self, config: WakeConfig | None = None) -> None:
        self.config = config or WakeConfig()
        self._robot_end_ns: int | None = None
        self._armed_ns: int | None = None

    @property
    def used(self) -> bool:
        """Whether the phrase is ever needed."""
        return self.config.mode is not WakeMode.OFF

    def arm(self, end_ns: int) -> None:
        """Somebody said the phrase alone, until `end_ns`: the question comes next."""
        self._armed_ns = end_ns

    def disarm(self) -> None:
        """The question has come."""
        self._armed_ns = None

    def robot_spoke(self, end_ns: int) -> None:
        """The robot's voice ended at `end_ns`.

        What a user says soon after that belongs to the conversation.
        """
        self._robot_end_ns = max(end_ns, self._robot_end_ns or end_ns)

    def conversing(self, start_ns: int) -> bool:
        """Whether the robot has spoken less than `after_s` before `start_ns`."""
        return (
            self._robot_end_ns is not None
            and start_ns - self._robot_end_ns <= self.config.after_s * NS
        )

    def required(self, start_ns: int) -> bool:
        """Whether an utterance that begins at `start_ns` needs the phrase."""
        armed_ns = self._armed_ns
        if armed_ns is not None and 0 <= start_ns - armed_ns <= self.config.armed_s * NS:
            return False
        if self.config.mode is not WakeMode.AFTER_SILENCE:
            return self.config.mode is WakeMode.REQUIRED
        return not self.conversing(start_ns)

    def without_phrase(self, text: str) -> tuple[bool, str]:
        """Return whether `text` begins with the phrase, and `text` without it."""
        taken = self._begins(_pieces(text))
        if not taken:
            return False, text
        return True, _joined(_pieces(text)[taken:]).lstrip(MARKS)

    def after_phrase(self, text: str) -> tuple[bool, str]:
        """Return whether `text` has the phrase anywhere, and what follows its last occurrence.

        Other people's talk may stand before it. Without the phrase, `text` itself.
        """
        _, called, rest = self.around_phrase(text)
        return (True, rest) if called else (False, text)

    def around_phrase(self, text: str) -> tuple[str, bool, str]:
        """Return what stands before the last occurrence of the phrase, whether there is one, and
        what follows it."""
        pieces = _pieces(text)
        for first in reversed(range(len(pieces))):
            taken = self._begins(pieces[first:])
            if taken:
                rest = _joined(pieces[first + taken :]).lstrip(MARKS)
                return _joined(pieces[:first]), True, rest
        return "", False, text

    def _begins(self, pieces: list[str]) -> int:
        """Return how many pieces at the start are the phrase; 0 if they are not."""
        plain = [" ".join(spoken_words(piece)) for piece in pieces]
        return next(
            (taken for spelling in self.config.spellings if (taken := _taken(plain, spelling))), 0
        )


def _pieces(text: str) -> list[str]:
    """Return the words of `text`, with the blanks after them.

    In scripts without blanks, each character and each mark is one.
    """
    return PIECE.findall(text.lstrip())


def _joined(pieces: list[str]) -> str:
    return " ".join("".join(pieces).split())


def _taken(plain: list[str], spelling: tuple[str, ...]) -> int:
    """Return how many words at the start make up `spelling`; 0 if they do not.

    Words that are only punctuation are skipped.
    """
    want = list(spelling)
    for i, word in enumerate(plain):
        if not want:
            return i
        for part in word.split():
            if not want or part != want.pop(0):
                return 0
    return len(plain) if not want else 0
