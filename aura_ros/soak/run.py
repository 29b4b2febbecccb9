"""A soak run: start, wait until all works, ask and kill, end."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions

from aura_core.errors import AuraError, InputError
from aura_core.speech.tts import TtsConfig, open_synthesizer
from aura_ros.launched import Program
from aura_ros.soak.nodes import Nodes
from aura_ros.soak.record import Record
from aura_ros.soak.stuck import Stream, Watchdog
from aura_ros.soak.user import ALERTS, SoakUser
from aura_ros.soak.verdict import away

BACK_S = 60.0  # most time that a run goes on for an assistant that was killed near its end
START_S = 120.0  # most time until the first chunk is decided and the watches are open
IMAGE_LIMIT_S, DECISION_LIMIT_S, DIAGNOSTICS_LIMIT_S = 3.0, 5.0, 5.0
PAUSE_S = 1.0  # this process itself got no CPU for so long: the machine is overloaded
CAMERAS = {"front": 30.0, "back": 10.0}  # frames a second
SEED = 900_001  # room of the first camera


@dataclass(frozen=True)
class Plan:
    """What is run."""

    seconds: float
    model: str = "aura_tiny"
    every_s: float = 3.0  # between the end of a question and the next one
    kill_every_s: float = 60.0  # 0: nothing is killed
    respawn_delay_s: float = 1.0
    victims: tuple[str, ...] = ()  # killed in turn; empty: all but the back camera


def programs(plan: Plan) -> list[Program]:
    """The nodes. Speech output is one of them where a synthesiser is installed."""

    tell = {
        "severity": "info",
        "do": "publish",
        "type": "std_msgs/msg/String",
        "name": ALERTS,
        "fields": "{data: '{text}'}",
        "cooldown_s": 0.0,
    }
    found = []
    for i, (name, fps) in enumerate(CAMERAS.items()):
        room = {"seed": SEED + i, "pace": "busy", "duration_s": round(plan.seconds + 2 * START_S)}
        picture = {"camera": "ideal", "width": 640, "fps": fps, "frame_id": name}
        names = {"__node": name, "image_raw": f"{name}/image_raw"}
        found.append(Program(name, "sim_camera_node", room | picture, names))
    found += [
        Program(
            "assistant",
            "assistant_node",
            {"model.path": plan.model, "cameras": list(CAMERAS)},
        ),
        Program(
            "reactions",
            "reactions_node",
            {f"reactions.tell.{key}": value for key, value in tell.items()},
        ),
    ]
    if _can_speak():
        found.append(Program("tts", "tts_node"))
    return found


def _can_speak() -> bool:
    try:
        open_synthesizer(TtsConfig()).close()
    except AuraError:
        return False
    return True


def run(plan: Plan, folder: Path, tell: Callable[[str], None]) -> Record:
    """Run it. The logs, and the file of the watches, go to `folder`.

    `tell` gets a line for each thing that happens. SIGINT and SIGTERM end the run early. Raises
    `InputError` when the nodes do not begin to work.
    """
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["ROS_HOME"] = str(folder.resolve() / "ros_home")
    record, started = Record(), programs(plan)
    names = [p.name for p in started]
    victims = plan.victims or tuple(n for n in names if n != "back")
    nodes = Nodes(started, victims, plan.kill_every_s, plan.respawn_delay_s, folder, record)
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    user = SoakUser(record, plan.every_s, list(CAMERAS))
    executor = SingleThreadedExecutor()
    executor.add_node(user)
    watchdog = Watchdog(_streams(started), nodes, record)
    try:
        tell(f"{', '.join(names)}; logs in {folder}/")
        nodes.start()
        _wait_until_all_works(nodes, user, executor, stop)
        now_s = record.began_s = time.monotonic()
        record.beats.clear()
        end_s = now_s + plan.seconds
        nodes.begin(now_s)
        told, before_s = _Teller(record, tell), now_s
        while (now_s := time.monotonic()) < end_s or (now_s < end_s + BACK_S and away(record)):
            if stop.is_set():
                break
            if now_s - before_s > PAUSE_S:
                record.pauses.append((before_s, now_s - before_s))
            before_s = now_s
            executor.spin_once(timeout_sec=0.02)
            user.tick(now_s)
            nodes.tick(now_s, end_s)
            watchdog.tick(now_s, user.newest_s)
            told.tick()
        watchdog.close(now_s)
        record.stopped = stop.is_set()
    finally:
        nodes.stop()
        executor.shutdown()
        user.destroy_node()
        rclpy.try_shutdown()
    nodes.look_for_shared_memory()
    return record


def _wait_until_all_works(
    nodes: Nodes, user: SoakUser, executor: SingleThreadedExecutor, stop: threading.Event
) -> None:
    deadline_s = time.monotonic() + START_S
    while not (all(f"decisions of {c}" in user.newest_s for c in CAMERAS) and user.stand()):
        executor.spin_once(timeout_sec=0.02)
        nodes.tick(time.monotonic(), 0.0)
        if ended := nodes.ended():
            raise InputError(ended)
        if stop.is_set():
            raise InputError("it was stopped before the nodes had begun to work")
        if time.monotonic() > deadline_s:
            raise InputError(
                f"nothing was decided, or no watch opened, within {START_S:.0f} s:"
                f" {user.reported or 'no heartbeat came'}"
            )


def _streams(started: list[Program]) -> list[Stream]:
    """What has to come all the time."""
    streams = []
    for name in CAMERAS:
        streams.append(Stream(f"{name}/image_raw", (name,), IMAGE_LIMIT_S))
        streams.append(Stream(f"decisions of {name}", (name, "assistant"), DECISION_LIMIT_S))
    for p in started:
        node = p.remaps.get("__node", p.module)
        streams.append(Stream(f"/diagnostics of {node}", (p.name,), DIAGNOSTICS_LIMIT_S))
    return streams


class _Teller:
    """A line for each kill, each start and each question that was not answered."""

    def __init__(self, record: Record, tell: Callable[[str], None]) -> None:
        self._record, self._tell = record, tell
        self._told = [0, len(record.starts), 0, 0]

    def tick(self) -> None:
        record = self._record
        lists = (record.kills, record.starts, record.exits, record.questions)
        for i, events in enumerate(lists):
            for event in events[self._told[i] :]:
                at_s = getattr(event, "at_s", getattr(event, "ended_s", 0.0)) - record.began_s
                if line := _line(event):
                    self._tell(f"{at_s:6.1f} s  {line}")
            self._told[i] = len(events)


def _line(event: object) -> str:
    from aura_ros.soak import record as rec

    match event:
        case rec.Kill():
            return f"{event.node} is killed"
        case rec.Start():
            return f"{event.node} is started again"
        case rec.Exit() if not event.expected:
            return f"{event.node} ended by itself with code {event.code}"
        case rec.Question() if event.outcome != rec.ANSWERED:
            return f"{event.source}: '{event.text}' {event.outcome} {event.reason}"
    return ""
