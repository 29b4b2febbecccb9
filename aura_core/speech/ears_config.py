"""The settings of the speech input."""

from __future__ import annotations

from dataclasses import dataclass, replace

from aura_core.plain import require
from aura_core.settings import Settings, section, setting
from aura_core.speech.asr import AsrConfig
from aura_core.speech.endpointing import FREE_LIMIT_S, LIMIT_S, EndpointConfig
from aura_core.speech.vad import VADS
from aura_core.speech.verdict import SURER
from aura_core.speech.wake import LEAST_SCORE, WakeConfig
from aura_core.words import spoken_words

# Whisper tiny: questions are at 0.66 and more, nonsense made of laughs and of Chinese at 0.29 and
# less; a single word ("stop") may be as low as 0.28.
FREE_CONFIDENCE = 0.35
JOIN_S = 2.0  # default of `join_s`


@dataclass(frozen=True)
class EarsConfig(Settings, section="ears"):
    """Settings of one speech input. As ROS 2 parameters, the nested sections have no prefix."""

    vad: str = setting(
        "pysilero",
        "voice activity detection: pysilero, or silero (onnxruntime)",
        choices=VADS,
    )
    endpoint: EndpointConfig = section(EndpointConfig, prefix="")
    asr: AsrConfig = section(AsrConfig, prefix="")
    wake: WakeConfig = section(WakeConfig, prefix="")
    adaptive: bool = setting(True, "the hangover follows the words so far", parameter=None)
    min_confidence: float | None = setting(
        None,
        "transcripts below are rejected as low_confidence",
        low=0.0,
        high=1.0,
        unset=-1.0,
        null=f"{FREE_CONFIDENCE} for whisper and faster_whisper; 0 for pocketsphinx, which has"
        " rejection",
    )
    mute_tail_ms: int = setting(
        350,
        "sound is still ignored for this long after the robot's voice: its echo in the room, and"
        " what the devices still hold in their buffers",
        unit="ms",
        low=0,
        high=5_000,
        parameter=None,
    )
    max_gap_ms: int = setting(
        100,
        "a larger jump between stamps means that sound was lost",
        unit="ms",
        low=0,
        high=5_000,
        parameter=None,
    )
    partials_s: float = setting(
        0.0,
        "whisper: partial transcripts are made again after so much more speech, on the words of"
        " which two transcripts agree; each costs a run of the model; 0: only at pauses",
        unit="s",
        low=0.0,
        high=10.0,
    )
    ahead_ms: int = setting(
        200,
        "whisper: silence after which the words so far are recognised already, before the end of"
        " the utterance",
        unit="ms",
        low=64,
        high=5_000,
        parameter=None,
    )
    join_s: float = setting(
        JOIN_S,
        "free speech: a question whose last word needs another one (tell me when ...) waits for"
        " its rest for so long; 0: not at all",
        unit="s",
        low=0.0,
        high=10.0,
    )
    fillers: tuple[str, ...] = setting(
        (),
        "free speech: words and phrases of your house that are no question by themselves, beside"
        " the known ones (hmm, whoops, 那个 ...)",
    )
    gate_db: float = setting(
        4.0,
        "the VAD is run on frames that are louder than the noise floor by this; 0: on all frames",
        unit="dB",
        low=0.0,
        high=20.0,
        parameter=None,
    )
    quiet_lsb: int = setting(
        8,
        "a frame with a peak below this is silence, and the VAD is not run on it",
        unit="steps of 16-bit samples",
        low=0,
        high=3_000,
        parameter=None,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.free:
            unused = (
                ("partials_s", self.partials_s, 0.0),
                ("join_s", self.join_s, JOIN_S),
                ("fillers", self.fillers, ()),
                ("wake_similar", self.wake.similar, ()),
                ("wake_least_score", self.wake.least_score, LEAST_SCORE),
            )
            for name, value, default in unused:
                require(value == default, f"{name}: pocketsphinx does not use it; whisper does")
        texts = [phrase for phrase in self.fillers if not spoken_words(phrase)]
        require(not texts, "fillers has a phrase without any word")

    @property
    def free(self) -> bool:
        """Whether the recogniser takes any words, and not only those of a grammar."""
        return self.asr.backend != "pocketsphinx"

    @property
    def utterances(self) -> EndpointConfig:
        """When an utterance ends, with the limit of the recogniser's kind."""
        limit_s = self.endpoint.max_s or (FREE_LIMIT_S if self.free else LIMIT_S)
        return replace(self.endpoint, max_s=limit_s)

    @property
    def least_confidence(self) -> float:
        """The confidence below which a transcript is rejected."""
        if self.min_confidence is not None:
            return self.min_confidence
        return FREE_CONFIDENCE if self.free else 0.0

    @property
    def surer_confidence(self) -> float:
        """The same, for words that begin in the robot's voice or just after it."""
        least = self.least_confidence
        return min(1.0, (least if self.free else max(least, self.asr.rejection)) + SURER)
