"""The assistant's settings: frozen, few, from YAML; unknown keys and contradictions are refused."""

from __future__ import annotations

import dataclasses
import types as pytypes
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aura_core.errors import ConfigError


@dataclass(frozen=True)
class ModelConfig:
    """Which model, and how it runs.

    `path` is a local folder, a hub id, `aura_tiny` (the embedded default) or `scripted`.
    `dtype`: auto, float32, bfloat16, float16. `device`: auto, cpu, cuda, cuda:0...
    `attention`: auto (flash_attention_2 where installed, else sdpa), sdpa, eager, flash_attention_2.
    """

    path: str = "aura_tiny"
    dtype: str = "auto"
    device: str = "auto"
    attention: str = "auto"
    max_pixels: int | None = None  # per frame; None: 640*480, or what the checkpoint's aura.json says
    threads: int | None = None  # CPU threads; None: torch's own choice

    def __post_init__(self) -> None:
        _one_of("model.dtype", self.dtype, ("auto", "float32", "bfloat16", "float16"))
        _one_of("model.attention", self.attention, ("auto", "sdpa", "eager", "flash_attention_2"))
        _require(self.max_pixels is None or self.max_pixels >= 1024, "model.max_pixels must be at least 1024")
        _require(self.threads is None or self.threads >= 1, "model.threads must be at least 1")


@dataclass(frozen=True)
class WindowConfig:
    """The dual window: at `max` chunks the video is cut back to the newest `keep`; questions and
    answers of what was cut stay as text, at most `qa_groups` of them (AURA's N, N' and M)."""

    keep: int = 30
    max: int = 60
    qa_groups: int = 10

    def __post_init__(self) -> None:
        _require(self.keep >= 1, f"window.keep must be at least 1, not {self.keep}")
        _require(self.max > self.keep, f"window.max ({self.max}) must be larger than window.keep ({self.keep})")
        _require(self.qa_groups >= 0, f"window.qa_groups must not be negative, not {self.qa_groups}")


@dataclass(frozen=True)
class ChunkerConfig:
    """Frames to 1-s chunks. A frame up to `tolerance_s` early still counts for its slot."""

    fps: float = 2.0
    tolerance_s: float = 0.05

    def __post_init__(self) -> None:
        _require(self.fps == 2.0, f"chunker.fps must be 2.0 (two frames are one temporal patch), not {self.fps}")
        _require(0.0 <= self.tolerance_s <= 0.2, f"chunker.tolerance_s must be in [0, 0.2], not {self.tolerance_s}")


@dataclass(frozen=True)
class DeciderConfig:
    """When to speak; all off by default (see `stream/decision.py` for the exact rules).

    `threshold`: silent when p(silent) >= it; None: when the silent token wins the argmax.
    `rearm`: after unasked words p(silent) must reach it once before the next unasked words (hysteresis).
    `min_gap_s`: least time between unasked words, in the frames' stamps. Answers to questions are never held back.
    """

    threshold: float | None = None
    rearm: float | None = None
    min_gap_s: float = 0.0

    def __post_init__(self) -> None:
        for name, level in (("threshold", self.threshold), ("rearm", self.rearm)):
            _require(level is None or 0.0 < level < 1.0, f"decider.{name} must be between 0 and 1, not {level}")
        ok = self.threshold is None or self.rearm is None or self.rearm >= self.threshold
        _require(ok, f"decider.rearm ({self.rearm}) must not be below decider.threshold ({self.threshold})")
        ok = 0.0 <= self.min_gap_s <= 86_400.0
        _require(ok, f"decider.min_gap_s must be between 0 and 86400 (a day), not {self.min_gap_s}")


@dataclass(frozen=True)
class GateConfig:
    """The static-scene gate (`stream/gate.py`): a chunk equal to the last encoded one within `level` grey levels
    (0..255, of area averages) is not encoded again. None: every chunk is encoded. 8 passes a still camera's noise."""

    level: float | None = None

    def __post_init__(self) -> None:
        ok = self.level is None or 0.0 <= self.level <= 64.0
        _require(ok, f"gate.level must be between 0 and 64 grey levels, not {self.level}")


@dataclass(frozen=True)
class SpeakerConfig:
    """Limits on one answer and on questions."""

    max_new_tokens: int = 128
    max_question_tokens: int = 512
    max_pending_questions: int = 8

    def __post_init__(self) -> None:
        for f in dataclasses.fields(self):
            _require(getattr(self, f.name) >= 1, f"speaker.{f.name} must be at least 1, not {getattr(self, f.name)}")


@dataclass(frozen=True)
class AssistantConfig:
    """Everything the engine is told. `system_prompt` None means the checkpoint's or our default."""

    model: ModelConfig = field(default_factory=ModelConfig)
    window: WindowConfig = field(default_factory=WindowConfig)
    chunker: ChunkerConfig = field(default_factory=ChunkerConfig)
    decider: DeciderConfig = field(default_factory=DeciderConfig)
    speaker: SpeakerConfig = field(default_factory=SpeakerConfig)
    system_prompt: str | None = None
    gate: GateConfig = field(default_factory=GateConfig)

    @classmethod
    def from_dict(cls, data: dict[str, Any], where: str = "config") -> AssistantConfig:
        """Build from nested plain values. Raises `ConfigError` naming the key and where it stands."""
        return _build(cls, data, where)

    @classmethod
    def from_yaml(cls, path: str | Path) -> AssistantConfig:
        """Read the `aura:` section of a YAML file (or the whole file where it has none)."""
        import yaml

        path = Path(path)
        try:
            data = yaml.safe_load(path.read_text(encoding="utf-8"))
        except OSError as e:
            raise ConfigError(f"{path}: cannot read the configuration: {e.strerror}") from e
        except UnicodeDecodeError as e:
            raise ConfigError(f"{path}: not valid YAML: it is not UTF-8 text") from e
        except yaml.YAMLError as e:
            raise ConfigError(f"{path}: not valid YAML: {' '.join(str(e).split())}") from e
        if not isinstance(data, dict):
            raise ConfigError(f"{path}: expected a mapping of settings, found {type(data).__name__}")
        return cls.from_dict(data.get("aura", data), str(path))


def _build(cls: Any, data: Any, where: str) -> Any:
    if not isinstance(data, dict):
        raise ConfigError(f"{where}: expected a mapping of settings, found {data!r}")
    hints = typing.get_type_hints(cls)
    known = {f.name for f in dataclasses.fields(cls)}
    for key in data:
        if key not in known:
            raise ConfigError(f"{where}: unknown key '{key}'; known keys are {', '.join(sorted(known))}")
    values = {k: _convert(hints[k], v, f"{where}: {k}") for k, v in data.items()}
    try:
        return cls(**values)
    except ConfigError as e:
        raise ConfigError(f"{where}: {e}") from e


def _convert(kind: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(kind):
        return _build(kind, value, where)
    options = typing.get_args(kind) if isinstance(kind, pytypes.UnionType) else (kind,)
    if float in options and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not any(type(value) is o for o in options):
        names = " or ".join("null" if o is type(None) else o.__name__ for o in options)
        raise ConfigError(f"{where} must be {names}, not {value!r}")
    return value


def _require(ok: bool, message: str) -> None:
    if not ok:
        raise ConfigError(message)


def _one_of(name: str, value: str, options: tuple[str, ...]) -> None:
    _require(value in options, f"{name} must be one of {', '.join(options)}, not '{value}'")
