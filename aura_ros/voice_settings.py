"""From the parameters of the speech nodes to ears and mouth."""

from __future__ import annotations

from collections.abc import Mapping

from aura_core.sim import spoken
from aura_core.speech import ears
from aura_core.speech.asr import AsrConfig, Grammar, parse
from aura_core.speech.endpointing import EndpointConfig
from aura_core.speech.mouth import MouthConfig
from aura_core.speech.tts import Synthesizer, TtsConfig, open_synthesizer
from aura_core.speech.wake import WakeConfig
from aura_ros.parameters import Value

Values = Mapping[str, Value]


def device_name(value: Value) -> str | int | None:
    """A sound device: part of its name, its number, or None for the default."""
    text = str(value).strip()
    return int(text) if text.isdigit() else text or None


def mouth_config(v: Values) -> MouthConfig:
    """Raises `ConfigError` on contradictions."""
    return MouthConfig(stale_after_s=float(v["stale_after_s"]), max_sentences=int(v["max_queue"]))


def open_voice(v: Values) -> Synthesizer:
    """Raises `ConfigError` where the voice is missing."""
    config = TtsConfig(
        str(v["backend"]), str(v["voice"]), speed=float(v["speed"]), device=str(v["device"])
    )
    return open_synthesizer(config)


def phrases(grammar: str) -> Grammar | None:
    """The sentences that the parameter `grammar` stands for; None: none."""
    return parse(spoken.grammar(), "grammar: room") if grammar == "room" else None


def open_ears(v: Values) -> ears.Ears:
    """Raises `ConfigError` where a model is missing."""
    onset = float(v["onset"])
    endpoint = EndpointConfig(
        onset=onset,
        sure=max(onset, EndpointConfig.sure),
        offset=float(v["offset"]),
        onset_over_voice=max(onset, EndpointConfig.onset_over_voice),
        pre_roll_ms=int(v["pre_roll_ms"]),
        hangover_ms=int(v["hangover_ms"]),
        short_hangover_ms=int(v["short_hangover_ms"]),
        long_hangover_ms=int(v["long_hangover_ms"]),
        max_s=float(v["max_s"]),
    )
    wake = WakeConfig(str(v["wake"]), str(v["wake_phrase"]), after_s=float(v["wake_after_s"]))
    asr = AsrConfig(
        str(v["backend"]),
        str(v["model"]),
        str(v["language"]),
        str(v["device"]),
        str(v["grammar_file"]),
        float(v["rejection"]),
    )
    config = ears.EarsConfig(str(v["vad"]), endpoint, asr, wake)
    return ears.open_ears(config, phrases(str(v["grammar"])))
