"""The settings of the data engine: one section for each stage.

They are frozen, read from YAML, and unknown keys are refused.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aura_core.config import ChatConfig, WindowConfig
from aura_core.plain import build, read_yaml, require
from aura_core.settings import Settings, section, setting


@dataclass(frozen=True)
class PrepareConfig(Settings, section="prepare"):
    """Stage 1. A longer source becomes several clips."""

    min_seconds: int = setting(4, "shortest clip", unit="s", low=1)
    max_seconds: int = setting(600, "longest clip", unit="s", low=1)
    max_gap_s: float = setting(
        10.0, "a source whose pictures stop for longer is rejected", unit="s", low=1.0
    )
    max_pixels: int = setting(
        640 * 480, "most pixels of a frame; larger ones are scaled down", unit="pixels", low=1024
    )
    crf: int = setting(18, "quality of H.264: 0 lossless, 51 worst", low=0, high=51)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.min_seconds <= self.max_seconds,
            "prepare: 1 <= min_seconds <= max_seconds is needed",
        )


@dataclass(frozen=True)
class AskingConfig(Settings, section="asking"):
    """Who asks the MLLM's questions: a person is drawn for each scene, a language for each clip."""

    personas: tuple[str, ...] = setting(
        (
            "anyone who watches",
            "somebody who is busy with something else and cannot always look",
            "somebody who sees badly and needs to be told what is where",
            "somebody who is responsible for safety and order",
            "a curious child",
        ),
        "people who ask, in words for the MLLM",
    )
    languages: tuple[str, ...] = setting(("English",), "languages of questions and answers")
    least_level: int = setting(1, "lowest difficulty of questions, 1 to 5", low=1, high=5)
    most_level: int = setting(5, "highest difficulty of questions, 1 to 5", low=1, high=5)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.least_level <= self.most_level,
            "asking: least_level must not be above most_level",
        )
        for name in ("personas", "languages"):
            words = getattr(self, name)
            require(bool(words) and all(w.strip() for w in words), f"asking.{name} must hold words")

    @property
    def levels(self) -> range:
        """The difficulties that are asked for."""
        return range(self.least_level, self.most_level + 1)


@dataclass(frozen=True)
class SynthesizeConfig(Settings, section="synthesize"):
    """Stage 2: scenes and questions."""

    scene_cut: float = setting(
        18.0, "mean difference between two seconds from which on it is a cut", unit="grey levels"
    )
    min_scene_s: int = setting(6, "shortest scene", unit="s", low=2)
    max_scene_s: int = setting(60, "longest scene", unit="s", low=2)
    ask_scenes: bool = setting(True, "let the MLLM merge scenes and move cuts")
    real_time: int = setting(3, "most real-time questions of a scene", low=0)
    proactive: int = setting(1, "most proactive questions of a scene", low=0)
    multi_response: int = setting(1, "most multi-response questions of a scene", low=0)
    never: float = setting(
        0.25,
        "share of the scenes for which the MLLM also writes a request whose event never happens;"
        " 0: such requests are rejected",
        low=0.0,
        high=1.0,
    )
    frames: int = setting(32, "most frames in one request", unit="frames", low=2)
    look_back_s: int = setting(8, "video that one verification shows", unit="s", low=1)
    repair_s: int = setting(
        2,
        "how far from a claimed time the right one is looked for; 0: a wrong time rejects its"
        " question",
        unit="s",
        low=0,
    )
    silences: int = setting(
        2, "stretches without an answer that are checked for each standing question", low=0
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.min_scene_s <= self.max_scene_s,
            "synthesize: 2 <= min_scene_s <= max_scene_s is needed",
        )

    @property
    def stretch_s(self) -> int:
        """The seconds that one request can show with one frame a second.

        The second before them and the last second need the two other frames.
        """
        return max(1, self.frames - 2)


@dataclass(frozen=True)
class RefineConfig(Settings, section="refine"):
    """Stage 3."""

    siblings: int = setting(
        4,
        "variants of each real-time question at other difficulties; one of them or the question"
        " itself is kept",
        low=0,
        high=4,
    )


@dataclass(frozen=True)
class StructureConfig(Settings, section="structure"):
    """Stage 4: the window of the engine that will run the model, and the tokenizer."""

    checkpoint: str = setting(
        "",
        "checkpoint that will be trained: a folder, a hub id, aura_tiny or scripted; its tokenizer"
        " and chat template make the samples' tokens; empty: aura_tiny, if the simulator wrote the"
        " words (its tokenizer lacks most words of an MLLM)",
    )
    # AURA's 30/45, about 14,600 tokens of 640x480: the recipes' rows hold 16,384, and the engine's
    # 30/60 makes 19,500.
    window: WindowConfig = section(WindowConfig, **WindowConfig.PRESETS["aura"])
    max_answer_tokens: int = setting(
        128, "generation.max_new_tokens of the engine", unit="tokens", low=1
    )
    max_question_tokens: int = setting(
        512, "generation.max_question_tokens of the engine", unit="tokens", low=1
    )
    after_last: float = setting(
        0.5,
        "share of the conversations that give one more sample, which ends in a silent second after"
        " the last answer",
        low=0.0,
        high=1.0,
    )
    unasked: float = setting(
        0.1,
        "share of the conversations whose clip also gives a sample without any question",
        low=0.0,
        high=1.0,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        policies = ("shadow", "floating", "recompute")
        ok = self.window.policy in policies
        require(
            ok,
            f"structure.window.policy must be one of {', '.join(policies)}: with the others the"
            " window changes at every chunk",
        )


@dataclass(frozen=True)
class VerifyConfig(Settings, section="verify"):
    """Stage 5."""

    frames: int = setting(
        48,
        "most frames of the window that the judge gets; the last second is shown completely",
        unit="frames",
        low=2,
    )


@dataclass(frozen=True)
class MLLMConfig(ChatConfig, section="server"):
    """The MLLM, which is shown pictures."""

    jpeg_quality: int = setting(90, "quality of the pictures", low=1, high=100)


@dataclass(frozen=True)
class DataConfig(Settings):
    """All settings. `server` is the MLLM."""

    prepare: PrepareConfig = section(PrepareConfig)
    asking: AskingConfig = section(AskingConfig)
    synthesize: SynthesizeConfig = section(SynthesizeConfig)
    refine: RefineConfig = section(RefineConfig)
    structure: StructureConfig = section(StructureConfig)
    verify: VerifyConfig = section(VerifyConfig)
    server: MLLMConfig = section(MLLMConfig)
    max_lost: float = setting(
        0.5,
        "share of a stage's requests to the MLLM that may bring nothing; with more, or with all,"
        " the stage has failed",
        low=0.0,
        high=1.0,
    )
    seed: int = setting(0, "seed of all random choices")
    # small, so that few videos also keep several processes busy: 16 videos are four shards
    shard_size: int = setting(4, "sources of a shard", low=1)

    @classmethod
    def from_yaml(cls, path: Path) -> DataConfig:
        """Read a YAML file, or its section `data:` if it has one.

        Raises `ConfigError` that names the key.
        """
        data = read_yaml(path, "settings")
        return build(cls, data.get("data", data), str(path))

    def of_stage(self, stage: str) -> dict[str, Any]:
        """Return the settings that change what `stage` writes, as plain values."""
        if stage == "sources":
            return {"shard_size": self.shard_size}
        return {"seed": self.seed, **dataclasses.asdict(getattr(self, stage))}
