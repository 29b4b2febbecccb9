"""The assistant's settings: frozen, from YAML; unknown keys and contradictions are refused.

Each setting is declared here and nowhere else (see `settings.py`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

from aura_core.errors import ConfigError
from aura_core.parameter_file import engine_settings, is_parameter_file
from aura_core.plain import build, read_yaml, require
from aura_core.settings import Settings, named, section, setting
from aura_core.stream.attribution import STANDING, standing_kind
from aura_core.tools import ToolConfig
from aura_core.types import Kind, Query, Severity

POLICIES = ("shadow", "floating", "recompute", "fifo", "evict")
DAY_S = 86_400.0


@dataclass(frozen=True)
class ModelConfig(Settings, section="model"):
    """Which model, and how it runs.

    With a `server.url`, `path` names the checkpoint whose tokenizer and chat template the server's
    model has.
    """

    path: str = setting(
        "aura_tiny",
        "checkpoint: a local folder, a hub id, aura_tiny or aura_tiny_memory (embedded), or"
        " scripted (tests)",
    )
    dtype: str = setting(
        "auto",
        "number format of the weights; auto: bfloat16 on cuda, float32 on cpu",
        choices=("auto", "float32", "bfloat16", "float16"),
    )
    device: str = setting("auto", "where the model runs: auto, cpu, cuda, cuda:0 ...")
    attention: str = setting(
        "auto",
        "attention code; auto is flash_attention_2 where installed, else sdpa",
        choices=("auto", "sdpa", "eager", "flash_attention_2"),
    )
    max_pixels: int | None = setting(
        None,
        "most pixels of one frame; larger frames are shrunk",
        unit="pixels",
        low=1024,
        high=2**31 - 1,
        unset=0,
        null="what the checkpoint's aura.json says, else 640 x 480",
    )
    threads: int | None = setting(
        None,
        "CPU threads of the model",
        low=0,
        high=1024,
        unset=0,
        null="1 for a small model such as aura_tiny, else all cores but one",
    )
    quantize: str = setting(
        "none",
        "weights of a checkpoint that is not quantized are quantized while they are read, by"
        " bitsandbytes: int8, or 4bit (NF4)",
        choices=("none", "int8", "4bit"),
    )


@dataclass(frozen=True)
class ServerConfig(Settings, section="server"):
    """An OpenAI-compatible chat server (vLLM, SGLang) that runs the model.

    Without a `url` this process runs the model. With one, `model.path` still names the checkpoint:
    its tokenizer, chat template and frame sizes are read from there, and its weights are not.
    docs/server.md tells what is sent, and which flags a server needs.
    """

    url: str = setting(
        "",
        "base address of an OpenAI-compatible server that runs the model, such as"
        " http://host:8000/v1; empty: this process runs it",
    )
    dialect: str = setting(
        "vllm",
        "vllm: the server runs the checkpoint in model.path, and tells and takes token ids; openai:"
        " any server with OpenAI's chat API and any model that sees images; nothing is read from"
        " model.path",
        choices=("vllm", "openai"),
    )
    model: str = setting("", "name under which the server serves the model; empty: model.path")
    tenant: str = setting(
        "", "secret salt: media and prefixes are shared only among those who have the same one"
    )
    api_key_env: str = setting(
        "",
        "environment variable that holds the token of the Authorization header; empty: no token",
    )
    media: str = setting(
        "video", "a chunk as one video, or as two images", choices=("video", "images")
    )
    media_uuids: bool = setting(
        True, "name frames that the server has; false: send their bytes with each request"
    )
    probe: bool = setting(
        True, "ask the server at the start, in a few small requests, what it can do"
    )
    extra_body: str = setting(
        "",
        "JSON object whose keys are put into every request; null takes a key away; such as"
        ' {"chat_template_kwargs": {"enable_thinking": false}}',
    )
    image_format: str = setting(
        "jpeg",
        "how frames are compressed; png is lossless and several times larger",
        choices=("jpeg", "png"),
    )
    jpeg_quality: int = setting(90, "quality of jpeg", low=1, high=100)
    one_request: bool = setting(
        True, "the answer continues in the request that decided; false: a request for each"
    )
    answer_tokens: int = setting(
        128,
        "most tokens of one stream; a longer answer takes another request",
        unit="tokens",
        low=1,
        high=8192,
    )
    connect_timeout_s: float = setting(
        3.0, "longest wait for a connection", unit="s", low=0.01, high=600.0
    )
    read_timeout_s: float = setting(
        15.0,
        "longest silence of the server within a request",
        unit="s",
        low=0.01,
        high=600.0,
    )
    retries: int = setting(
        3, "retries of one request, after 429, 5xx and broken connections", low=0, high=20
    )
    retry_wait_s: float = setting(
        0.25,
        "wait before the first retry; doubled each time, less up to a half by chance",
        unit="s",
        low=0.01,
        high=600.0,
    )
    retry_wait_max_s: float = setting(
        4.0,
        "longest wait before a retry; a server that asks for more has failed",
        unit="s",
        low=0.01,
        high=600.0,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_url(self.url)
        own = {"model", "messages", "stream"} & set(self.body)
        require(not own, f"server.extra_body must not hold {', '.join(sorted(own))}")
        if self.url and self.dialect == "openai" and not self.model:
            raise ConfigError(
                "server.dialect openai: server.model must be the name under which the server serves"
                " the model"
            )

    @property
    def body(self) -> dict[str, Any]:
        """`extra_body`, read."""
        return _json_object(self.extra_body, "server.extra_body")


@dataclass(frozen=True)
class ChatConfig(Settings, section="server"):
    """An OpenAI-compatible chat server that is asked for whole replies: the MLLM of the data engine
    (`data.server`), the judge of evaluation (`--judge-config`)."""

    url: str = setting("", "base address of the server, such as http://host:8000/v1")
    model: str = setting("", "name under which the server serves the model")
    api_key_env: str = setting(
        "",
        "environment variable that holds the token of the Authorization header; empty: no token",
    )
    max_tokens: int = setting(
        2048, "most tokens of one reply, its thoughts included", unit="tokens", low=16
    )
    max_tokens_field: str = setting(
        "max_tokens",
        "field of the request that holds max_tokens; some servers know only the longer name",
        choices=("max_tokens", "max_completion_tokens"),
    )
    temperature: float | None = setting(
        0.0,
        "temperature of the replies",
        low=0.0,
        high=2.0,
        null="none is sent, for servers that refuse the field",
    )
    extra_body: dict[str, Any] | None = setting(
        None, "further fields of each request, as the server knows them", null="none"
    )
    repairs: int = setting(
        1, "times that a reply that cannot be used goes back to the model", low=0, high=10
    )
    connect_timeout_s: float = setting(
        10.0, "longest wait for a connection", unit="s", low=0.01, high=600.0
    )
    read_timeout_s: float = setting(
        120.0, "longest silence of the server within a request", unit="s", low=0.01, high=3600.0
    )
    retries: int = setting(
        4, "retries of one request, after 429, 5xx and broken connections", low=0, high=20
    )
    retry_wait_s: float = setting(
        1.0,
        "wait before the first retry; doubled each time, less up to a half by chance",
        unit="s",
        low=0.01,
        high=600.0,
    )
    retry_wait_max_s: float = setting(
        60.0,
        "longest wait before a retry; a server that asks for more has failed",
        unit="s",
        low=0.01,
        high=600.0,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_url(self.url)
        own = {"model", "messages", "stream"} & set(self.extra_body or {})
        require(not own, f"server.extra_body must not hold {', '.join(sorted(own))}")
        try:
            json.dumps(self.extra_body)
        except (TypeError, ValueError) as e:
            raise ConfigError(f"server.extra_body cannot be sent as JSON: {e}") from e

    @classmethod
    def from_yaml(cls, path: Path) -> Self:
        """Read a YAML file (its `server:` section, where it has one). Raises `ConfigError` naming
        the key."""
        data = read_yaml(path, "settings")
        config: Self = build(cls, data.get("server", data), str(path))
        return config


def _no_json(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _json_object(text: str, name: str) -> dict[str, Any]:
    """The JSON object in `text`; an empty one for "". Raises `ConfigError` naming the setting."""
    try:
        value = json.loads(text, parse_constant=_no_json) if text else {}
    except ValueError as e:
        raise ConfigError(f"{name} must be a JSON object: {e}") from e
    require(isinstance(value, dict), f"{name} must be a JSON object, not {text!r}")
    return dict(value)


def _check_url(url: str) -> None:
    if not url:
        return
    hint = "(a token belongs into the environment, see api_key_env)"
    try:
        parts = urlsplit(url)
        plain = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        plain = False
    plain = plain and not any(c in url for c in "@?#") and len(url.split()) == 1
    require(plain, f"server.url must be a plain http:// or https:// address {hint}")


@dataclass(frozen=True)
class WindowConfig(Settings, section="window"):
    """The dual window (AURA's N, N + N' and M).

    At `max` chunks the video is cut back to the newest `keep`. At most `qa_groups` questions of the
    cut video stay as text, with their answers. `policy` tells how the cache follows (see
    `stream/cache/policies.py`). In YAML, `preset: default` (30/60) or `preset: aura` (30/45) sets
    keep and max.
    """

    keep: int = setting(
        30, "video kept when the window is cut back", unit="chunks", low=1, high=3600
    )
    max: int = setting(
        60,
        "length at which the window is cut back; more than window.keep",
        unit="chunks",
        low=2,
        high=7200,
    )
    qa_groups: int = setting(
        10,
        "questions with their answers that stay as text after their video was cut",
        low=0,
        high=1000,
    )
    policy: str = setting(
        "shadow",
        "how the cache follows the window; shadow is exact, and its steps take the same time",
        choices=POLICIES,
    )
    hard_cap: int | None = setting(
        None,
        "length that the window may reach while its shadow is late; not less than window.max",
        unit="chunks",
        low=2,
        high=10_000,
        unset=0,
        null="window.max and a third of max - keep",
    )

    PRESETS: ClassVar[dict[str, dict[str, int]]] = {
        "default": {"keep": 30, "max": 60},
        "aura": {"keep": 30, "max": 45},
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.max > self.keep,
            f"window.max ({self.max}) must be larger than window.keep ({self.keep})",
        )
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
class SamplingConfig(Settings, section="sampling"):
    """How frames become chunks of 1 s."""

    # Not a parameter of the nodes, because 2.0 is the only value that is allowed.
    fps: float = setting(2.0, "frames sampled in a second; always 2", unit="Hz", parameter=None)
    tolerance_s: float = setting(
        0.05,
        "a frame up to this much early still counts for its half second",
        unit="s",
        low=0.0,
        high=0.2,
    )
    hold_s: float | None = setting(
        None,
        "how long a picture stands while no new one comes. Set it for a camera that sends only"
        " changes: live, such a camera has not stopped",
        unit="s",
        low=0.0,
        high=DAY_S,
        unset=-1.0,
        null="live not at all; in a recording until the next one",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.fps == 2.0,
            f"sampling.fps must be 2.0 (two frames are one temporal patch), not {self.fps}",
        )


@dataclass(frozen=True)
class DeciderConfig(Settings, section="decider"):
    """When to speak; `stream/decision.py` has the exact rules.

    Answers to questions are never held back.
    """

    threshold: float | None = setting(
        None,
        "silent when p(silent) is at least this",
        above=0.0,
        below=1.0,
        unset=0.0,
        null="silent when the silent token is the likeliest one",
        live=True,
    )
    rearm: float | None = setting(
        None,
        "after unasked words p(silent) must reach this before the next ones (hysteresis)",
        above=0.0,
        below=1.0,
        unset=0.0,
        null="off",
        live=True,
    )
    min_gap_s: float = setting(
        0.0,
        "least time between unasked words, in the frames' stamps",
        unit="s",
        low=0.0,
        high=DAY_S,
        live=True,
    )
    mode: str = setting(
        "auto",
        "token: the silent token decides; yes_no: a yes-or-no question each second, for any plain"
        " VLM; auto: token where the checkpoint was trained to decide, else yes_no",
        choices=("auto", "token", "yes_no"),
    )
    yes_no_prompt: str = setting(
        "Requests that are open: {watches}. Look at the newest second of video. Does it show what"
        " was requested, and was that not reported yet? Answer with yes or no.",
        "the question of mode yes_no; {watches} stands for the open watches",
    )
    report_prompt: str = setting(
        "Report in one short sentence what you see now that was requested: {watches}.",
        "what the model is asked for after a yes; {watches} stands for the open watches",
    )
    yes_words: tuple[str, ...] = setting(
        ("yes", "ja", "oui", "sí", "是", "是的"),
        "words that mean yes in mode yes_no; all their tokens count together",
    )
    no_words: tuple[str, ...] = setting(
        ("no", "nein", "non", "不", "不是", "否"), "words that mean no in mode yes_no"
    )
    unsolicited: bool = setting(
        False,
        "the model may speak when nothing was asked and no watch is open; off: such words are held"
        " back, and every alert belongs to a watch",
    )
    must_answer: bool = setting(
        True, "a question is never met with silence: silence is masked in its chunk", live=True
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        ok = self.threshold is None or self.rearm is None or self.rearm >= self.threshold
        require(
            ok,
            f"decider.rearm ({self.rearm}) must not be below decider.threshold ({self.threshold})",
        )
        for name, prompt in (
            ("yes_no_prompt", self.yes_no_prompt),
            ("report_prompt", self.report_prompt),
        ):
            ok = prompt.count("{") == prompt.count("}") == prompt.count("{watches}") == 1
            require(ok, f"decider.{name} must contain {{watches}} once and no other braces")
        for name, words in (("yes_words", self.yes_words), ("no_words", self.no_words)):
            ok = bool(words) and all(word.strip() == word != "" for word in words)
            require(ok, f"decider.{name} must be words without blanks around them")


@dataclass(frozen=True)
class GateConfig(Settings, section="gate"):
    """The static-scene gate (`stream/gate.py`)."""

    level: float | None = setting(
        None,
        "a chunk equal to the last encoded one within this is not encoded again; a difference is of"
        " area averages; 8 passes the noise of a still camera",
        unit="grey levels",
        low=0.0,
        high=64.0,
        unset=-1.0,
        null="every chunk is encoded",
    )


@dataclass(frozen=True)
class GenerationConfig(Settings, section="generation"):
    """Limits on one answer and on questions."""

    max_new_tokens: int = setting(
        128, "most tokens of one answer", unit="tokens", low=1, high=8192, live=True
    )
    max_question_tokens: int = setting(
        512, "most tokens of one question", unit="tokens", low=1, high=65_536, live=True
    )
    max_pending_questions: int = setting(
        8, "most questions that may wait; watches do not count", low=1, high=1000, live=True
    )
    max_question_chars: int = setting(
        2000,
        "most characters of one question or watch; 0: no limit",
        unit="characters",
        low=0,
        high=1_000_000,
        live=True,
    )
    questions_per_minute: int = setting(
        60,
        "most questions and watches of each source (a topic, a service) in a minute, live;"
        " 0: no limit",
        low=0,
        high=100_000,
        live=True,
    )
    at_once: bool = setting(
        True,
        "a question is answered at once, on the newest closed chunk; off: on the chunk that is"
        " being filled, when it closes",
    )
    question_ttl_s: float = setting(
        5.0,
        "a question that waits longer than this, because no frames come, is refused in words;"
        " watches wait without limit",
        unit="s",
        low=0.5,
        high=3600.0,
        live=True,
    )
    no_answer: str = setting(
        "I cannot answer that.",
        "what is said where the model answers a question without words",
        live=True,
    )
    interruptible: bool = setting(
        False,
        "chunks that close during an answer are decided between its tokens, and one that calls for"
        " words ends it",
        live=True,
    )


@dataclass(frozen=True)
class WatchConfig(Settings, section="watch"):
    """Standing questions. Times are stream time."""

    max_open: int = setting(32, "most watches that may be open", low=1, high=1000, live=True)
    duplicate_s: float = setting(
        2.0,
        "the same words for the same watch are said once within this time",
        unit="s",
        low=0.0,
        high=DAY_S,
        live=True,
    )
    cooldown_s: float = setting(
        0.0,
        "after an answer a watch is silent for this long, unless it was given a time of its own",
        unit="s",
        low=0.0,
        high=DAY_S,
        live=True,
    )
    attribution: str = setting(
        "model",
        "how the watch is found that unasked words answer. model: the model is asked about each"
        " open watch alone (one short prefill a watch, once an alert); words: the watch that shares"
        " most words with the answer",
        choices=("model", "words"),
        live=True,
    )


@dataclass(frozen=True)
class StandingConfig(Settings, section="watches"):
    """A watch that is there from the start."""

    text: str = setting("", "what to watch for, such as: tell me when the kettle boils")
    kind: str = setting(
        "",
        "proactive (answers once), multi-response, or empty: determined from the words",
        choices=("", *STANDING),
    )
    severity: str = setting("info", "copied into its alerts", choices=tuple(Severity))
    limit: int | None = setting(
        None, "most answers", low=1, high=2**31 - 1, unset=0, null="any number"
    )
    cooldown_s: float | None = setting(
        None,
        "after an answer it is silent for this long",
        unit="s",
        low=0.0,
        high=DAY_S,
        unset=-1.0,
        null="watch.cooldown_s",
    )
    urgent: bool = setting(
        False,
        "its answers do not wait until the user pauses; true too where it is critical, or its words"
        " say so (warn me, immediately)",
    )
    camera: str = setting("", "which camera, of the parameter cameras; empty: the first")

    def query(self, watch_id: str) -> Query:
        """The question that begins the watch. Its acceptance is not said.

        Raises `ConfigError` where it has no text: then there is nothing to watch for.
        """
        require(bool(self.text.strip()), f"watches.{watch_id}.text must be given")
        kind = Kind(self.kind) if self.kind else standing_kind(self.text) or Kind.PROACTIVE
        return Query(
            self.text,
            id=watch_id,
            kind=kind,
            limit=self.limit,
            cooldown_s=self.cooldown_s,
            urgent=self.urgent,
            severity=Severity(self.severity),
            quiet=True,
        )


@dataclass(frozen=True)
class FallbackModelConfig(ModelConfig, section="fallback.model"):
    """The model that takes over; messages name its settings."""

    path: str = setting(
        "",
        "checkpoint of the model that takes over while the first one fails: a local folder, a hub"
        " id, aura_tiny or aura_tiny_memory (embedded), or scripted (tests); empty: none does",
    )


@dataclass(frozen=True)
class FallbackServerConfig(ServerConfig, section="fallback.server"):
    """The server of the model that takes over; messages name its settings."""


@dataclass(frozen=True)
class FallbackConfig(Settings, section="fallback"):
    """A second model, which takes over while the first one fails.

    It is used where `model.path` is given: in this process, or behind a server (`server.url`). Both
    models are loaded at the start. docs/server.md tells what stays when the model changes. It is
    for live running; recordings and evaluation never change the model.
    """

    model: ModelConfig = section(FallbackModelConfig)
    server: ServerConfig = section(FallbackServerConfig)
    after: int = setting(
        3, "failed steps in a row after which the fallback takes over", low=1, high=1000
    )
    back: int = setting(
        3,
        "probes in a row that the model must answer before it is handed back to",
        low=1,
        high=1000,
    )
    probe_s: float = setting(
        10.0, "time between two probes of the model that failed", unit="s", low=0.01, high=DAY_S
    )
    chunks: int = setting(
        8,
        "newest video that is shown to the other model when the model changes; of older video only"
        " the words stay",
        unit="chunks",
        low=0,
        high=3600,
    )

    @property
    def on(self) -> bool:
        """Whether there is a fallback."""
        served = bool(self.server.url) and self.server.dialect == "openai"
        return bool(self.model.path) or served

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.server.url and not self.on:
            raise ConfigError(
                "fallback.server.url is given, but fallback.model.path is not: name the checkpoint"
                " that it serves, or set fallback.server.dialect: openai"
            )


@dataclass(frozen=True)
class WriterConfig(Settings, section="memory.writer"):
    """Another model that writes the notes, behind an OpenAI-compatible server."""

    url: str = setting(
        "",
        "base address of the server, such as http://host:8000/v1; empty: the model that watches"
        " writes them",
    )
    model: str = setting("", "name under which the server serves the model")
    api_key_env: str = setting(
        "",
        "environment variable that holds the token of the Authorization header; empty: no token",
    )
    pictures: int = setting(4, "pictures of a block that are sent, evenly spaced", low=1, high=32)
    timeout_s: float = setting(
        60.0, "longest silence of the server within a request", unit="s", low=0.01, high=3600.0
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            bool(self.model) or not self.url,
            "memory.writer.model must be given with memory.writer.url",
        )
        self.chat()

    def chat(self) -> ChatConfig:
        """The server as others are asked. Raises `ConfigError` for a bad address."""
        return ChatConfig(
            self.url, self.model, self.api_key_env, read_timeout_s=self.timeout_s, retries=1
        )


@dataclass(frozen=True)
class MemoryConfig(Settings, section="memory"):
    """What is remembered beyond the window (docs/memory.md)."""

    path: str = setting(
        "",
        "file of the notes; its folder is made. auto: in $ROS_HOME (~/.ros), by the node's name;"
        " empty: nothing is remembered",
    )
    block_s: float | None = setting(
        None,
        "video that one note is about",
        unit="s",
        low=2.0,
        high=600.0,
        unset=0.0,
        null="what the checkpoint was trained with, else 30 s",
    )
    note_tokens: int = setting(96, "most tokens of a note", unit="tokens", low=1, high=4096)
    language: str = setting(
        "auto",
        "language of the notes; auto: that of the newest question, English at first",
        choices=("auto", "en", "zh"),
    )
    writer: WriterConfig = section(WriterConfig)
    keyframes: str = setting(
        "change",
        "which notes keep a picture: off, change (those with something new) or all",
        choices=("off", "change", "all"),
    )
    keyframe_width: int = setting(
        640, "wider pictures are scaled down to this", unit="pixels", low=64, high=4096
    )
    thumbnail_width: int = setting(
        96, "width of a note's small picture", unit="pixels", low=16, high=640
    )
    recent_s: float = setting(
        600.0,
        "notes of this time stand word for word before the video; older ones are merged",
        unit="s",
        low=0.0,
        high=DAY_S,
    )
    middle_s: float = setting(
        7200.0,
        "notes of this time are merged by ten minutes, older ones by the hour",
        unit="s",
        low=0.0,
        high=7 * DAY_S,
    )
    reach_s: float = setting(
        86_400.0, "older notes are not before the video", unit="s", low=0.0, high=400 * DAY_S
    )
    prefix_tokens: int | None = setting(
        None,
        "most tokens of notes before the video",
        unit="tokens",
        low=0,
        high=100_000,
        unset=-1,
        null="what the checkpoint was trained with, else 2000",
    )
    recall_notes: int = setting(
        5, "most notes that are put before a question; 0: none is searched for", low=0, high=100
    )
    recall_tokens: int = setting(
        400, "most tokens of these notes", unit="tokens", low=16, high=100_000
    )
    recall_pictures: int = setting(
        0, "most keyframes that are shown with these notes", low=0, high=8
    )
    embedder: str = setting(
        "",
        "folder of a sentence-transformers model, which finds notes by meaning too; empty: words"
        " alone",
    )
    keep_days: float = setting(
        30.0, "older notes are deleted", unit="days", above=0.0, high=36_500.0
    )
    max_mb: float = setting(
        2000.0,
        "when the file is larger, the oldest notes are deleted",
        unit="MB",
        low=1.0,
        high=1_000_000.0,
    )


@dataclass(frozen=True)
class AssistantConfig(Settings):
    """All settings of the engine."""

    model: ModelConfig = section(ModelConfig)
    window: WindowConfig = section(WindowConfig)
    sampling: SamplingConfig = section(SamplingConfig)
    decider: DeciderConfig = section(DeciderConfig)
    generation: GenerationConfig = section(GenerationConfig)
    watch: WatchConfig = section(WatchConfig)
    system_prompt: str | None = setting(
        None,
        "what the model is told first",
        unset="",
        null="the checkpoint's own, or the package's",
    )
    server: ServerConfig = section(ServerConfig)
    fallback: FallbackConfig = section(FallbackConfig)
    memory: MemoryConfig = section(MemoryConfig)
    gate: GateConfig = section(GateConfig)
    watches: Mapping[str, StandingConfig] = named(
        StandingConfig, "watches that are there from the start, by ids that you choose"
    )
    tools: Mapping[str, ToolConfig] = named(
        ToolConfig, "services that the model may call, by names that you choose"
    )
    tools_most: int = setting(
        3,
        "most calls of tools for one question; then tools_failed is said",
        low=1,
        high=20,
        live=True,
    )
    tools_failed: str = setting(
        "I could not do that.", "what is said where the model calls too many tools", live=True
    )
    delegate_timeout_s: float = setting(
        120.0,
        "most time for the result of a task that the model hands over; then delegate_failed is"
        " said",
        unit="s",
        low=0.1,
        high=86_400.0,
        live=True,
    )
    delegates_most: int = setting(
        8,
        "most tasks whose result may be open; for a further one delegate_failed is said",
        low=1,
        high=1000,
        live=True,
    )
    delegate_failed: str = setting(
        "I could not find that out.",
        "what is said where a task that the model hands over gets no result",
        live=True,
    )

    def standing(self, camera: str = "") -> tuple[Query, ...]:
        """The watches of one camera that are there from the start. Raises `ConfigError`."""
        return tuple(w.query(name) for name, w in self.watches.items() if w.camera == camera)

    @classmethod
    def from_dict(cls, data: dict[str, Any], where: str = "config") -> AssistantConfig:
        """The settings from nested plain values.

        Raises `ConfigError` naming the key and where it is.
        """
        return build(cls, data, where)

    @classmethod
    def from_yaml(cls, path: str | Path) -> AssistantConfig:
        """Read the settings from a YAML file.

        That is its `aura:` section, the whole file where it has none, or a ROS 2 parameter file.
        """
        data = read_yaml(Path(path), "configuration")
        if is_parameter_file(data):
            engine = engine_settings(data, AssistantNodeConfig, str(path))
            return cls.from_dict(engine, str(path))
        return cls.from_dict(data.get("aura", data), str(path))


@dataclass(frozen=True)
class AssistantNodeConfig(Settings):
    """assistant_node: the engine, and how frames reach it."""

    engine: AssistantConfig = section(AssistantConfig, prefix="")
    backlog_chunks: int = setting(
        3,
        "video that may wait for a slow model; older chunks are dropped and counted",
        unit="chunks",
        low=1,
        high=60,
    )
    image_transport: str = setting(
        "raw",
        "raw: sensor_msgs/Image on image_raw; compressed: CompressedImage on image_raw/compressed",
        choices=("raw", "compressed"),
    )
    watch_file: str = setting(
        "auto",
        "file that keeps the watches, so that they go on after a crash; a clean end removes it,"
        " unless there is a memory (memory.path); auto: in $ROS_HOME (~/.ros), by the node's"
        " name; empty: none",
    )
    free_when_inactive: bool = setting(
        False,
        "deactivate frees the model, the GPU's memory too, and activate loads it again; what was"
        " seen and said is forgotten, watches go on",
    )
    cameras: tuple[str, ...] = setting(
        (),
        "names of the cameras that share the model, each with its images on NAME/image_raw and its"
        " own window; empty: one camera, on image_raw",
    )
    stale_after_s: float = setting(
        2.0,
        "without a frame for this long the state is no_frames",
        unit="s",
        low=1.0,
        high=3600.0,
        live=True,
    )
