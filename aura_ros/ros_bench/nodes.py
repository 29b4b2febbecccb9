"""The nodes as processes: the CPU that they use, and how long they take to end at Ctrl-C."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions

from aura_core.errors import AuraError, InputError
from aura_core.speech.tts import TtsConfig, open_synthesizer
from aura_ros import qos
from aura_ros.launched import Launched, Program
from aura_ros.ros_bench.figures import Figure

START_S = 90.0
SETTLE_S = 5.0  # after all nodes are active
LOADING = "loading model"  # the log line before the model is loaded
NOBODY = {"image_raw": "bench/nobody"}  # a topic on which nothing comes
PART_CPU, PART_END = "CPU", "Ctrl-C"


def speech() -> list[str]:
    """The speech nodes that can be configured here; none of them needs a sound device for it."""
    found = []
    try:
        open_synthesizer(TtsConfig()).close()
        found.append("tts_node")
    except AuraError:
        pass
    try:
        import livekit  # noqa: F401
        import pocketsphinx  # noqa: F401
        import sounddevice  # noqa: F401

        found += ["asr_node", "microphone_node", "speaker_node"]
    except (ImportError, OSError):
        pass
    return found


def _film(folder: Path) -> Path:
    """A video of 10 s, 640x480 at 30 FPS, with noise that moves."""
    path = folder / "film.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 30, (640, 480))
    noise = np.random.default_rng(0).integers(0, 256, (480, 1280, 3), np.uint8)
    noise = cv2.GaussianBlur(noise, (0, 0), 3)
    for i in range(300):
        writer.write(np.ascontiguousarray(noise[:, 2 * i : 2 * i + 640]))
    writer.release()
    return path


def _assistant(name: str, model: str, **remaps: str) -> Program:
    own = {"model.path": model, "watch_file": ""}
    return Program(name, "assistant_node", own, {"__node": name, **remaps})


def cpu(seconds: float, folder: Path, tell: Callable[[str], None]) -> list[Figure]:
    """Percent of a core of each node, each from `seconds`: idle, and with 640x480 at 30 FPS."""
    film, room = str(_film(folder)), {"camera": "ideal", "width": 640, "fps": 30.0}
    room["duration_s"] = round(seconds + START_S)
    idle = [
        _assistant("assistant_scripted", "scripted", **NOBODY),
        _assistant("assistant_aura_tiny", "aura_tiny", **NOBODY),
        Program("sim_camera_node", "sim_camera_node", room, {"image_raw": "bench/unseen"}),
        Program("camera_node", "camera_node", {"source": film}, {"image_raw": "bench/unread"}),
        *(Program(name, name) for name in ("reactions_node", *speech())),
    ]
    played = {"source": film, "fps": 30.0, "loop": True}
    runs = {
        "idle": idle,
        "640x480@30": [
            _assistant("assistant_aura_tiny", "aura_tiny"),
            Program("sim_camera_node", "sim_camera_node", room),
        ],
        "640x480@30 ": [
            _assistant("assistant_scripted", "scripted"),
            Program("camera_node", "camera_node", played),
        ],
    }
    figures = []
    for run, started in runs.items():
        tell(f"CPU, {run.strip()}, {seconds:g} s")
        with Running(started, folder) as running:
            time.sleep(SETTLE_S)
            before = [p.cpu_s() for p in running.processes]
            began = time.monotonic()
            time.sleep(seconds)
            after = [p.cpu_s() for p in running.processes]
            over_s = time.monotonic() - began
        for p, a, b in zip(started, before, after, strict=True):
            name = f"{p.name}, {run.strip()}"
            figures.append(Figure(PART_CPU, name, "% of a core", (100 * (b - a) / over_s,)))
    return figures


def ctrl_c(repeats: int, folder: Path, tell: Callable[[str], None]) -> list[Figure]:
    """Seconds from SIGINT to the end of the process: of a node that runs, and of the assistant
    while it loads its model."""
    figures = []
    programs = [
        _assistant("assistant_node", "aura_tiny"),
        Program("sim_camera_node", "sim_camera_node", {"wait_for_subscriber": False}),
        Program("camera_node", "camera_node", {"source": "/dev/there_is_none"}),
        *(Program(name, name) for name in ("reactions_node", *speech())),
    ]
    for program in programs:
        tell(f"Ctrl-C of {program.name}, {repeats} times")
        took = []
        for _ in range(repeats):
            with Running([program], folder) as running:
                took.append(_end(running.processes[0]))
        figures.append(Figure(PART_END, f"{program.name}, running", "s", tuple(took), "<= 2 s"))
    tell(f"Ctrl-C while aura_tiny is loaded, {repeats} times")
    took = [_end_while_loading(folder, i / max(1, repeats)) for i in range(repeats)]
    figures.append(Figure(PART_END, "assistant_node, loading", "s", tuple(took), "<= 2 s"))
    return figures


def _end(process: Launched) -> float:
    code, took_s = process.end()
    if code:
        raise InputError(
            f"{process.program.name} ended with code {code} at Ctrl-C; see {process.log}"
        )
    return took_s


def _end_while_loading(folder: Path, wait_s: float) -> float:
    program = _assistant("assistant_loading", "aura_tiny")
    log = folder / f"{program.name}.log"
    log.unlink(missing_ok=True)
    process = Launched(program, folder)
    deadline_s = time.monotonic() + START_S
    while LOADING not in log.read_text():
        if process.code is not None or time.monotonic() > deadline_s:
            process.end()
            raise InputError(f"the assistant did not begin to load its model; see {log}")
        time.sleep(0.01)
    time.sleep(wait_s)
    return _end(process)


class Running:
    """Processes that are active inside the `with`, as /diagnostics tells, and ended after it."""

    def __init__(self, programs: Sequence[Program], folder: Path) -> None:
        self._programs, self._folder = programs, folder
        self.processes: list[Launched] = []
        self._active: set[str] = set()

    def __enter__(self) -> Running:
        rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
        self._node = rclpy.create_node("bench_waits")
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        self._node.create_subscription(
            DiagnosticArray, "/diagnostics", self._on_diagnostics, qos.DIAGNOSTICS
        )
        try:
            self.processes = [Launched(p, self._folder) for p in self._programs]
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _on_diagnostics(self, msg: DiagnosticArray) -> None:
        for status in msg.status:
            if any(v.key == "lifecycle" and v.value == "active" for v in status.values):
                self._active.add(status.name)

    def _wait(self) -> None:
        wanted = {p.remaps.get("__node", p.module) for p in self._programs}
        deadline_s = time.monotonic() + START_S
        while not wanted <= self._active:
            self._executor.spin_once(timeout_sec=0.05)
            ended = [p.program.name for p in self.processes if p.code is not None]
            if ended or time.monotonic() > deadline_s:
                missing = ", ".join(ended or sorted(wanted - self._active))
                raise InputError(f"not active: {missing}; see the logs in {self._folder}")

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.end()
        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.try_shutdown()
