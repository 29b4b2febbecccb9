"""Every parameter of every node: name, default, what it does, what it may be. From them, the
engine's settings."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.exceptions import ParameterException
from rclpy.node import Node
from rclpy.parameter import Parameter

from aura_core.config import POLICIES, AssistantConfig
from aura_core.errors import ConfigError
from aura_core.parameter_file import RCLPY, nested

Value = str | int | float | bool


@dataclass(frozen=True)
class Param:
    """One parameter. `low` and `high` bound a number, both ends included; `choices` a word."""

    name: str
    default: Value
    description: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    read_only: bool = True

    def descriptor(self) -> ParameterDescriptor:
        """What `ros2 param describe` shows."""
        d = ParameterDescriptor(
            name=self.name, description=self.description, read_only=self.read_only
        )
        if self.choices:
            d.additional_constraints = "one of " + ", ".join(self.choices)
        if self.low is not None and self.high is not None:
            if isinstance(self.default, float):
                d.floating_point_range = [
                    FloatingPointRange(from_value=self.low, to_value=self.high)
                ]
            else:
                d.integer_range = [IntegerRange(from_value=int(self.low), to_value=int(self.high))]
        return d

    def check(self, value: Value) -> str:
        """Why `value` is refused; empty when it is not. (Type and range are rclpy's part.)"""
        if isinstance(value, float) and not math.isfinite(value):
            return f"{self.name} must be a finite number"
        if self.choices and value not in self.choices:
            return f"{self.name} must be one of {', '.join(self.choices)}, not '{value}'"
        return ""


_D = AssistantConfig()

# Names with a section (`window.keep`) are those of `aura_core.config`; some values stand for null
# there.
ENGINE = (
    Param(
        "model.path",
        _D.model.path,
        "model: a local folder, a hub id, aura_tiny (embedded) or scripted (tests)",
    ),
    Param(
        "model.dtype",
        _D.model.dtype,
        "number format of the weights",
        choices=("auto", "float32", "bfloat16", "float16"),
    ),
    Param("model.device", _D.model.device, "where the model runs: auto, cpu, cuda, cuda:0 ..."),
    Param(
        "model.attention",
        _D.model.attention,
        "attention code; auto is flash_attention_2 where installed, else sdpa",
        choices=("auto", "sdpa", "eager", "flash_attention_2"),
    ),
    Param(
        "model.max_pixels",
        0,
        "most pixels of one frame; larger ones are shrunk; 0: the checkpoint's own",
        low=0,
        high=2**31 - 1,
    ),
    Param(
        "model.threads",
        0,
        "CPU threads of the model; 0: 1 for a small model (aura_tiny), else cores - 1",
        low=0,
        high=1024,
    ),
    Param(
        "window.keep",
        _D.window.keep,
        "chunks (seconds) of video kept when the window is cut back",
        low=1,
        high=3600,
    ),
    Param(
        "window.max",
        _D.window.max,
        "chunks at which the window is cut back; more than window.keep",
        low=2,
        high=7200,
    ),
    Param(
        "window.policy",
        _D.window.policy,
        "how the cache follows the window; shadow is exact and flat",
        choices=POLICIES,
    ),
    Param(
        "window.hard_cap",
        0,
        "chunks the window may reach while its shadow is late; 0: max and a third of a window",
        low=0,
        high=10_000,
    ),
    Param(
        "window.qa_groups",
        _D.window.qa_groups,
        "questions with their answers that stay as text",
        low=0,
        high=1000,
    ),
    Param(
        "sampling.tolerance_s",
        _D.sampling.tolerance_s,
        "a frame this early still counts for its half second [s]",
        low=0.0,
        high=0.2,
    ),
    Param(
        "decider.threshold",
        0.0,
        "silent when p(silent) >= this; 0: silent when silence is the likeliest token",
        low=0.0,
        high=1.0,
        read_only=False,
    ),
    Param(
        "decider.rearm",
        0.0,
        "after unasked words p(silent) must reach this before the next ones; 0: off",
        low=0.0,
        high=1.0,
    ),
    Param(
        "decider.min_gap_s",
        _D.decider.min_gap_s,
        "least time between unasked words, in the frames' stamps [s]",
        low=0.0,
        high=86400.0,
    ),
    Param(
        "decider.mode",
        _D.decider.mode,
        "token: the silent token decides; yes_no: a yes-or-no question each second, "
        "for any plain VLM; auto: by the checkpoint",
        choices=("auto", "token", "yes_no"),
    ),
    Param(
        "decider.yes_no_prompt",
        _D.decider.yes_no_prompt,
        "the judge's question; {watches}: what was asked for",
    ),
    Param(
        "decider.report_prompt", _D.decider.report_prompt, "what the judge's yes makes it asked for"
    ),
    Param(
        "gate.level",
        -1.0,
        "a chunk equal to the last encoded one within this many grey levels is not encoded "
        "again; 8 passes a still camera's noise; -1: encode every chunk",
        low=-1.0,
        high=64.0,
    ),
    Param(
        "generation.max_new_tokens",
        _D.generation.max_new_tokens,
        "most tokens of one answer",
        low=1,
        high=8192,
    ),
    Param(
        "generation.max_question_tokens",
        _D.generation.max_question_tokens,
        "most tokens of one question",
        low=1,
        high=65536,
    ),
    Param(
        "generation.max_pending_questions",
        _D.generation.max_pending_questions,
        "most questions that may wait",
        low=1,
        high=1000,
    ),
    Param(
        "server.url",
        _D.server.url,
        "base address of an OpenAI-compatible server that runs the model, such as "
        "http://host:8000/v1; empty: this process runs it",
    ),
    Param(
        "server.model", _D.server.model, "name under which the server serves it; empty: model.path"
    ),
    Param(
        "server.tenant",
        _D.server.tenant,
        "secret salt: media and prefixes are shared among those who have it",
    ),
    Param(
        "server.api_key_env",
        _D.server.api_key_env,
        "environment variable with the server's token; empty: none",
    ),
    Param(
        "server.media",
        _D.server.media,
        "a chunk as one video, or as two images",
        choices=("video", "images"),
    ),
    Param(
        "server.media_uuids",
        _D.server.media_uuids,
        "name frames that the server has; else send them each time",
    ),
    Param(
        "server.image_format",
        _D.server.image_format,
        "how frames are compressed",
        choices=("jpeg", "png"),
    ),
    Param("server.jpeg_quality", _D.server.jpeg_quality, "quality of jpeg", low=1, high=100),
    Param(
        "server.one_request",
        _D.server.one_request,
        "the answer goes on in the request that decided",
    ),
    Param(
        "server.answer_tokens",
        _D.server.answer_tokens,
        "most tokens of one stream",
        low=1,
        high=8192,
    ),
    Param(
        "server.connect_timeout_s",
        _D.server.connect_timeout_s,
        "longest wait for a connection [s]",
        low=0.01,
        high=600.0,
    ),
    Param(
        "server.read_timeout_s",
        _D.server.read_timeout_s,
        "longest silence within a request [s]",
        low=0.01,
        high=600.0,
    ),
    Param("server.retries", _D.server.retries, "retries of one request", low=0, high=20),
    Param(
        "server.retry_wait_s",
        _D.server.retry_wait_s,
        "wait before the first retry, doubled each time [s]",
        low=0.01,
        high=600.0,
    ),
    Param(
        "server.retry_wait_max_s",
        _D.server.retry_wait_max_s,
        "longest wait before a retry [s]",
        low=0.01,
        high=600.0,
    ),
    Param(
        "generation.interruptible",
        _D.generation.interruptible,
        "decide seconds that pass during an answer between its "
        "words; one that calls for words ends it",
    ),
    Param(
        "watch.max_open",
        _D.watch.max_open,
        "most standing questions that may be open",
        low=1,
        high=1000,
    ),
    Param(
        "watch.duplicate_s",
        _D.watch.duplicate_s,
        "the same words to the same watch are said once in this time [s]",
        low=0.0,
        high=86_400.0,
    ),
    Param(
        "watch.cooldown_s",
        _D.watch.cooldown_s,
        "after an answer a watch is silent for this long [s]",
        low=0.0,
        high=86_400.0,
    ),
    Param(
        "system_prompt", "", "what the model is told first; empty: the checkpoint's own, or ours"
    ),
)

ASSISTANT = (
    *ENGINE,
    Param(
        "backlog_chunks",
        3,
        "seconds of video that may wait for a slow model; older ones are dropped",
        low=1,
        high=60,
    ),
    Param(
        "image_transport",
        "raw",
        "raw: sensor_msgs/Image on image_raw; compressed: CompressedImage on image_raw/compressed",
        choices=("raw", "compressed"),
    ),
    Param(
        "stale_after_s",
        2.0,
        "without a frame for this long the state is no_frames [s]",
        low=1.0,
        high=3600.0,
        read_only=False,
    ),
)

CAMERA = (
    Param(
        "source",
        "camera:0",
        "camera:N, a device path, a video file, a folder of images, rtsp:// or http(s)://",
    ),
    Param("fps", 10.0, "most frames published a second", low=0.1, high=240.0),
    Param("frame_id", "camera", "frame_id of the images"),
    Param("loop", False, "begin again at the end of a file or folder; else the node ends there"),
    Param(
        "reopen_s",
        2.0,
        "wait between two tries to open a device or stream that is gone [s]",
        low=0.1,
        high=3600.0,
    ),
)

SIM_CAMERA = (
    Param("seed", 900001, "which simulated room to show", low=0, high=2**31 - 1),
    Param("fps", 10.0, "frames a second", low=0.1, high=240.0),
    Param("width", 192, "width of the picture [pixels]; it is 4:3", low=32, high=4096),
    Param("pace", "calm", "how often something happens", choices=("calm", "busy")),
    Param(
        "duration_s",
        600,
        "seconds in which things happen; afterwards the room stays as it is",
        low=1,
        high=86400,
    ),
    Param("frame_id", "sim_camera", "frame_id of the images"),
    Param(
        "wait_for_subscriber",
        True,
        "begin the world when somebody watches, so that its first second is seen",
    ),
)


def declare(node: Node, table: Iterable[Param]) -> dict[str, Value]:
    """Declare `table` on `node` and return the values. Raises `ConfigError` naming the
    parameter."""
    table = tuple(table)
    _refuse_unknown(node, [p.name for p in table])
    values: dict[str, Value] = {}
    for p in table:
        try:
            values[p.name] = node.declare_parameter(p.name, p.default, p.descriptor()).value
        except ParameterException as e:
            raise ConfigError(
                f"{node.get_name()}: parameter {p.name}: {' '.join(str(e).split())}"
            ) from e
        if problem := p.check(values[p.name]):
            raise ConfigError(f"{node.get_name()}: parameter {problem}")
    return values


def on_set(
    table: Iterable[Param], apply: Callable[[str, Value], None]
) -> Callable[[list[Parameter]], SetParametersResult]:
    """A callback for `add_on_set_parameters_callback`: refuses with a reason, else applies."""
    by_name = {p.name: p for p in table}

    def callback(parameters: list[Parameter]) -> SetParametersResult:
        ours = [(p.name, p.value) for p in parameters if p.name in by_name]
        for name, value in ours:
            if problem := by_name[name].check(value):
                return SetParametersResult(successful=False, reason=problem)
            if name == "decider.threshold" and value == 1.0:
                return SetParametersResult(
                    successful=False, reason=f"{name} must be below 1: it would never speak"
                )
        for name, value in ours:
            try:
                apply(name, value)
            except ConfigError as e:  # contradicts a setting that is no parameter of this call
                return SetParametersResult(successful=False, reason=str(e))
        return SetParametersResult(successful=True)

    return callback


def engine_config(values: dict[str, Value]) -> AssistantConfig:
    """The engine's settings. Raises `ConfigError` on contradictions."""
    data = nested({p.name: values[p.name] for p in ENGINE})
    return AssistantConfig.from_dict(data, "parameters")


def _refuse_unknown(node: Node, known: list[str]) -> None:
    """rclpy takes a misspelt key of a parameter file without a word; here it ends the node."""
    for key in node._parameter_overrides:  # the only place where rclpy keeps them
        if key not in known and key.split(".")[0] not in RCLPY:
            near = difflib.get_close_matches(key, known, 1)
            hint = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(known)}"
            raise ConfigError(
                f"{node.get_name()}: unknown parameter '{key}' in the parameter file or arguments;"
                f" {hint}"
            )
