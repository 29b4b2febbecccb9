"""The assistant's settings: frozen, few, from YAML; unknown keys and contradictions are refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from aura_core.parameter_file import engine_settings, is_parameter_file
from aura_core.plain import build, one_of, read_yaml, require


@dataclass(frozen=True)
class ModelConfig:
    """Which model, and how it runs.

    `path` is a local folder, a hub id, `aura_tiny` (the embedded default) or `scripted`. With a
    `server.url` it says whose tokenizer and chat template the server's model has. `dtype`: auto,
    float32, bfloat16, float16. `device`: auto, cpu, cuda, cuda:0... `attention`: auto
    (flash_attention_2 where installed, else sdpa), sdpa, eager, flash_attention_2.
    """

    path: str = "aura_tiny"
    dtype: str = "auto"
    device: str = "auto"
    attention: str = "auto"
    # per frame; None: 640*480, or what the checkpoint's aura.json says
    max_pixels: int | None = None
    # CPU threads; None or 0: 1 for a small model such as aura_tiny, else all cores but one
    threads: int | None = None

    def __post_init__(self) -> None:
        one_of("model.dtype", self.dtype, ("auto", "float32", "bfloat16", "float16"))
        one_of("model.attention", self.attention, ("auto", "sdpa", "eager", "flash_attention_2"))
        require(
            self.max_pixels is None or self.max_pixels >= 1024,
            "model.max_pixels must be at least 1024",
        )
        require(
            self.threads is None or self.threads >= 0,
            f"model.threads must not be negative, not {self.threads}; 0: automatic",
        )


POLICIES = ("shadow", "floating", "recompute", "fifo", "evict")


@dataclass(frozen=True)
class ServerConfig:
    """An OpenAI-compatible chat server (vLLM, SGLang) that runs the model. Without a `url`, this
    process does.

    `model.path` still names the checkpoint: its tokenizer, chat template and frame sizes are read
    from there, its weights are not. docs/server.md says what is sent and which flags a server
    needs.
    """

    url: str = ""  # base of the API, such as http://host:8000/v1
    model: str = ""  # the name under which it is served; empty: model.path
    # secret salt: media and prefixes are shared only among those who have the same one
    tenant: str = ""
    # environment variable that holds the token of the Authorization header; empty: none
    api_key_env: str = ""
    media: str = "video"  # video: one part a chunk; images: its two frames as pictures
    # name frames that the server has; False: send their bytes with each request
    media_uuids: bool = True
    image_format: str = "jpeg"  # jpeg, or png: lossless, and several times larger
    jpeg_quality: int = 90
    # the answer goes on in the request that decided; False: a request for each
    one_request: bool = True
    answer_tokens: int = 128  # most tokens of one stream; a longer answer takes another request
    connect_timeout_s: float = 3.0
    read_timeout_s: float = 15.0  # longest silence of the server within a request
    retries: int = 3  # of one request, on 429, 5xx and broken connections
    # before the first retry; doubled for each further one, less up to a half by chance
    retry_wait_s: float = 0.25
    retry_wait_max_s: float = 4.0  # longest wait; a server that asks for more has failed

    def __post_init__(self) -> None:
        plain = (
            self.url.startswith(("http://", "https://"))
            and "@" not in self.url
            and "?" not in self.url
        )
        hint = "(a token belongs into the environment, see api_key_env)"
        require(
            not self.url or plain, f"server.url must be a plain http:// or https:// address {hint}"
        )
        one_of("server.media", self.media, ("video", "images"))
        one_of("server.image_format", self.image_format, ("jpeg", "png"))
        require(
            1 <= self.jpeg_quality <= 100,
            f"server.jpeg_quality must be in [1, 100], not {self.jpeg_quality}",
        )
        require(
            self.answer_tokens >= 1,
            f"server.answer_tokens must be at least 1, not {self.answer_tokens}",
        )
        require(0 <= self.retries <= 20, f"server.retries must be in [0, 20], not {self.retries}")
        for name in ("connect_timeout_s", "read_timeout_s", "retry_wait_s", "retry_wait_max_s"):
            require(
                0.0 < getattr(self, name) <= 600.0, f"server.{name} must be in (0, 600] seconds"
            )


@dataclass(frozen=True)
class WindowConfig:
    """The dual window: at `max` chunks the video is cut back to the newest `keep`; questions and
    answers of what was cut stay as text, at most `qa_groups` of them (AURA's N, N + N' and M).

    `policy` says how the cache follows (see `stream/policies.py`). `hard_cap`: chunks that the
    window may reach while the shadow is late; None: a third of max - keep above max. In YAML,
    `preset: default` (30/60) or `aura` (30/45) stands for keep and max.
    """

    keep: int = 30
    max: int = 60
    qa_groups: int = 10
    policy: str = "shadow"
    hard_cap: int | None = None

    PRESETS: ClassVar[dict[str, dict[str, int]]] = {
        "default": {"keep": 30, "max": 60},
        "aura": {"keep": 30, "max": 45},
    }

    def __post_init__(self) -> None:
        require(self.keep >= 1, f"window.keep must be at least 1, not {self.keep}")
        require(
            self.max > self.keep,
            f"window.max ({self.max}) must be larger than window.keep ({self.keep})",
        )
        require(self.qa_groups >= 0, f"window.qa_groups must not be negative, not {self.qa_groups}")
        one_of("window.policy", self.policy, POLICIES)
        ok = self.hard_cap is None or self.hard_cap >= self.max
        require(
            ok,
            f"window.hard_cap ({self.hard_cap}) must not be smaller than window.max ({self.max})",
        )

    @property
    def cap(self) -> int:
        """Most chunks that the window ever holds."""
        return (
            self.max + (self.max - self.keep + 2) // 3 if self.hard_cap is None else self.hard_cap
        )


@dataclass(frozen=True)
class SamplingConfig:
    """Frames to 1-s chunks. A frame up to `tolerance_s` early still counts for its slot."""

    fps: float = 2.0
    tolerance_s: float = 0.05

    def __post_init__(self) -> None:
        require(
            self.fps == 2.0,
            f"sampling.fps must be 2.0 (two frames are one temporal patch), not {self.fps}",
        )
        require(
            0.0 <= self.tolerance_s <= 0.2,
            f"sampling.tolerance_s must be in [0, 0.2], not {self.tolerance_s}",
        )


@dataclass(frozen=True)
class DeciderConfig:
    """When to speak; all off by default (see `stream/decision.py` for the exact rules).

    `threshold`: silent when p(silent) >= it; None: when the silent token wins the argmax. `rearm`:
    after unasked words p(silent) must reach it once before the next unasked words (hysteresis).
    `min_gap_s`: least time between unasked words, in the frames' stamps. Answers to questions are
    never held back. `mode`: token (the silent token), yes_no (a question each second, for
    any plain VLM), or auto: token where the checkpoint was trained to decide, else yes_no.
    `{watches}` in the prompts stands for the open watches.
    """

    threshold: float | None = None
    rearm: float | None = None
    min_gap_s: float = 0.0
    mode: str = "auto"
    yes_no_prompt: str = (
        "Requests that are open: {watches}. Look at the newest second of video. Does it show what"
        " was requested, and was that not reported yet? Answer with yes or no."
    )
    report_prompt: str = (
        "Report in one short sentence what you see now that was requested: {watches}."
    )

    def __post_init__(self) -> None:
        for name, level in (("threshold", self.threshold), ("rearm", self.rearm)):
            require(
                level is None or 0.0 < level < 1.0,
                f"decider.{name} must be between 0 and 1, not {level}",
            )
        ok = self.threshold is None or self.rearm is None or self.rearm >= self.threshold
        require(
            ok,
            f"decider.rearm ({self.rearm}) must not be below decider.threshold ({self.threshold})",
        )
        one_of("decider.mode", self.mode, ("auto", "token", "yes_no"))
        for name, prompt in (
            ("yes_no_prompt", self.yes_no_prompt),
            ("report_prompt", self.report_prompt),
        ):
            ok = prompt.count("{") == prompt.count("}") == prompt.count("{watches}") == 1
            require(ok, f"decider.{name} must contain {{watches}} once and no other braces")
        ok = 0.0 <= self.min_gap_s <= 86_400.0
        require(ok, f"decider.min_gap_s must be between 0 and 86400 (a day), not {self.min_gap_s}")


@dataclass(frozen=True)
class GateConfig:
    """The static-scene gate (`stream/gate.py`): a chunk equal to the last encoded one within
    `level` grey levels (0..255, of area averages) is not encoded again. None: every chunk is
    encoded. 8 passes a still camera's noise."""

    level: float | None = None

    def __post_init__(self) -> None:
        ok = self.level is None or 0.0 <= self.level <= 64.0
        require(ok, f"gate.level must be between 0 and 64 grey levels, not {self.level}")


@dataclass(frozen=True)
class GenerationConfig:
    """Limits on one answer and on questions. `interruptible`: chunks that close during an answer
    are decided between its tokens, and one that calls for words ends it."""

    max_new_tokens: int = 128
    max_question_tokens: int = 512
    max_pending_questions: int = 8
    interruptible: bool = False

    def __post_init__(self) -> None:
        for name in ("max_new_tokens", "max_question_tokens", "max_pending_questions"):
            require(
                getattr(self, name) >= 1,
                f"generation.{name} must be at least 1, not {getattr(self, name)}",
            )


@dataclass(frozen=True)
class WatchConfig:
    """Standing questions. The same words for the same watch within `duplicate_s` seconds are said
    once; after any answer a watch keeps silent for `cooldown_s` (its own, where it was given one).
    Times are stream time."""

    max_open: int = 32
    duplicate_s: float = 2.0
    cooldown_s: float = 0.0

    def __post_init__(self) -> None:
        require(self.max_open >= 1, f"watch.max_open must be at least 1, not {self.max_open}")
        require(
            self.duplicate_s >= 0, f"watch.duplicate_s must not be negative, not {self.duplicate_s}"
        )
        require(
            self.cooldown_s >= 0, f"watch.cooldown_s must not be negative, not {self.cooldown_s}"
        )


@dataclass(frozen=True)
class AssistantConfig:
    """Everything the engine is told. `system_prompt` None means the checkpoint's or our default."""

    model: ModelConfig = field(default_factory=ModelConfig)
    window: WindowConfig = field(default_factory=WindowConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    decider: DeciderConfig = field(default_factory=DeciderConfig)
    generation: GenerationConfig = field(default_factory=GenerationConfig)
    watch: WatchConfig = field(default_factory=WatchConfig)
    system_prompt: str | None = None
    server: ServerConfig = field(default_factory=ServerConfig)
    gate: GateConfig = field(default_factory=GateConfig)

    @classmethod
    def from_dict(cls, data: dict[str, Any], where: str = "config") -> AssistantConfig:
        """Build from nested plain values. Raises `ConfigError` naming the key and where it
        stands."""
        return build(cls, data, where)

    @classmethod
    def from_yaml(cls, path: str | Path) -> AssistantConfig:
        """Read the `aura:` section of a YAML file (or the whole file where it has none), or a ROS 2
        parameter file."""
        data = read_yaml(Path(path), "configuration")
        if is_parameter_file(data):
            return cls.from_dict(engine_settings(data, str(path)), str(path))
        return cls.from_dict(data.get("aura", data), str(path))
