"""What the data engine is told: frozen, from YAML, unknown keys refused. Every stage has its own
part."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aura_core.config import ServerConfig, WindowConfig
from aura_core.plain import build, read_yaml, require


@dataclass(frozen=True)
class PrepareConfig:
    """A longer source becomes several clips; one whose pictures stop for longer than `max_gap_s` is
    rejected."""

    min_seconds: int = 4  # shortest clip
    max_seconds: int = 600  # longest clip
    max_gap_s: float = 10.0
    max_pixels: int = 640 * 480  # of a frame; larger ones are scaled down
    crf: int = 18  # quality of H.264: 0 lossless, 51 worst

    def __post_init__(self) -> None:
        require(
            1 <= self.min_seconds <= self.max_seconds,
            "prepare: 1 <= min_seconds <= max_seconds is needed",
        )
        require(
            self.max_gap_s >= 1.0, f"prepare.max_gap_s must be at least 1, not {self.max_gap_s}"
        )
        require(
            self.max_pixels >= 1024,
            f"prepare.max_pixels must be at least 1024, not {self.max_pixels}",
        )
        require(0 <= self.crf <= 51, f"prepare.crf must be in [0, 51], not {self.crf}")


@dataclass(frozen=True)
class SynthesizeConfig:
    """Scenes and questions. `scene_cut`: mean grey-level difference of two seconds (0..255) that is
    a cut at least."""

    scene_cut: float = 18.0
    min_scene_s: int = 6
    max_scene_s: int = 60
    ask_scenes: bool = False  # let the MLLM merge and move the cuts
    real_time: int = 3  # questions a scene, at most
    proactive: int = 1
    multi_response: int = 1
    frames: int = 32  # most frames in one request
    look_back_s: int = 8  # seconds that a verification sees
    silences: int = 2  # stretches without an answer that are checked, of each standing question

    def __post_init__(self) -> None:
        require(
            2 <= self.min_scene_s <= self.max_scene_s,
            "synthesize: 2 <= min_scene_s <= max_scene_s is needed",
        )
        require(self.frames >= 2, f"synthesize.frames must be at least 2, not {self.frames}")
        require(
            self.look_back_s >= 1,
            f"synthesize.look_back_s must be at least 1, not {self.look_back_s}",
        )
        for name in ("real_time", "proactive", "multi_response", "silences"):
            require(getattr(self, name) >= 0, f"synthesize.{name} must not be negative")

    @property
    def stretch_s(self) -> int:
        """Seconds that one request shows at a frame a second, beside the second before and the last
        one whole."""
        return max(1, self.frames - 2)


@dataclass(frozen=True)
class RefineConfig:
    """`siblings`: further difficulties of each real-time question, of which (with the draft) one is
    kept."""

    siblings: int = 4

    def __post_init__(self) -> None:
        require(0 <= self.siblings <= 4, f"refine.siblings must be in [0, 4], not {self.siblings}")


@dataclass(frozen=True)
class StructureConfig:
    """The window of the engine that will run the model, and whose words it reads.

    `checkpoint`: a folder or hub id whose tokenizer and chat template make the tokens; aura_tiny;
    or scripted. Empty:
    aura_tiny for the simulator's words; an MLLM's are refused, for it knows few of them.
    """

    checkpoint: str = ""
    # AURA's 30/45, about 14,600 tokens of 640x480: the recipes' rows hold 16,384, and the engine's
    # 30/60 makes 19,500.
    window: WindowConfig = field(
        default_factory=lambda: WindowConfig(**WindowConfig.PRESETS["aura"])
    )
    # generation.max_new_tokens and generation.max_question_tokens of the engine
    max_answer_tokens: int = 128
    max_question_tokens: int = 512

    def __post_init__(self) -> None:
        policies = ("shadow", "floating", "recompute")
        ok = self.window.policy in policies
        require(
            ok, f"structure.window.policy must be one of {', '.join(policies)}: the others slide"
        )
        for name in ("max_answer_tokens", "max_question_tokens"):
            require(
                getattr(self, name) >= 1,
                f"structure.{name} must be at least 1, not {getattr(self, name)}",
            )


@dataclass(frozen=True)
class VerifyConfig:
    """`frames`: most frames of the window that the judge is shown; the newest are kept whole."""

    frames: int = 48

    def __post_init__(self) -> None:
        require(self.frames >= 2, f"verify.frames must be at least 2, not {self.frames}")


@dataclass(frozen=True)
class DataConfig:
    """`server` is the MLLM (see `ServerConfig`; only what concerns requests is used). `shard_size`:
    sources a shard."""

    prepare: PrepareConfig = field(default_factory=PrepareConfig)
    synthesize: SynthesizeConfig = field(default_factory=SynthesizeConfig)
    refine: RefineConfig = field(default_factory=RefineConfig)
    structure: StructureConfig = field(default_factory=StructureConfig)
    verify: VerifyConfig = field(default_factory=VerifyConfig)
    server: ServerConfig = field(
        default_factory=lambda: ServerConfig(read_timeout_s=120.0, retry_wait_max_s=30.0)
    )
    max_reply_tokens: int = 2048
    seed: int = 0
    shard_size: int = 4  # of 16 videos, four processes have a shard each

    def __post_init__(self) -> None:
        require(self.shard_size >= 1, f"shard_size must be at least 1, not {self.shard_size}")
        require(self.max_reply_tokens >= 16, "max_reply_tokens must be at least 16")

    @classmethod
    def from_yaml(cls, path: Path) -> DataConfig:
        """Read a YAML file (its `data:` section, where it has one). Raises `ConfigError` naming the
        key."""
        data = read_yaml(path, "settings")
        return build(cls, data.get("data", data), str(path))

    def of_stage(self, stage: str) -> dict[str, Any]:
        """The settings that change what `stage` writes, as plain values."""
        if stage == "sources":
            return {"shard_size": self.shard_size}
        return {"seed": self.seed, **dataclasses.asdict(getattr(self, stage))}
