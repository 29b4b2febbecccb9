"""The ROS share of the time from a frame to the response that describes it.

Three processes: A publishes images, the assistant decides with the scripted model, and B (this
one) receives `aura/response`. All read the same clock of the machine.

    A: stamp, publish ─► assistant: callback ─► model's thread: convert, step ─► publish ─► B

For a response that nobody asked for, with the stamp S of its newest frame, received in B at R:

    ROS share = R - S - step_ms

S is read in A just before the image is published. `step_ms` is the model's own time (encode,
prefill, decision, decoding). The share holds: sending the image, the callback, waking the model's
thread, converting the image, publishing the response, and receiving it. Nothing is taken off for
the wait until a second of video is complete: the newest frame of a chunk is the one that completes
it, so there is no such wait between S and R. A frame that waits because the model's thread is busy
with the answer to a question counts as ROS share.

While a model decodes, the words are published as they come. That time is part of `step_ms`, so it
is not in the share. It is told apart: for the whole answer, for one message, and as the share with
it. The scripted model has one token a letter, so it sends about 30 messages an answer, and a real
model one a word or so.

For a question, sent in B at Q: ROS share = R - Q - step_ms. `step_ms` runs from the moment at which
the model's thread takes the newest chunk for it.
"""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path
from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from std_msgs.msg import String

from aura_core.errors import InputError
from aura_ros import qos
from aura_ros.conversions import to_ns
from aura_ros.launched import Launched, Program
from aura_ros.msg import Response
from aura_ros.ros_bench.assistant import TIMES
from aura_ros.ros_bench.figures import Figure, of

WARM = 3  # responses, and questions, that are not counted
START_S = 60.0
SEED = 5  # of the moments of the questions
FRAME = {
    "ros": "ROS share",
    "with_words": "ROS share, with the words published within the step",
    "image": "image: A to the assistant's callback",
    "to_model": "callback to the begin of the step (wake, convert)",
    "words": "words published within the step: all",
    "word": "words published within the step: one message",
    "out": "end of the step to B",
    "step": "not ROS: the step",
}
QUESTION = {
    "ros": "question: ROS share",
    "with_words": "question: ROS share, with the words within the step",
    "to_model": "question: B to the begin of the step",
    "out": "question: end of the step to B",
}


class User(Node):
    """B: receives responses, and asks."""

    def __init__(self) -> None:
        super().__init__("bench_user")
        self.received: dict[str, tuple[int, Response]] = {}  # final ones, by id
        self.asked: dict[str, int] = {}  # when each question was sent
        self._mouth = self.create_publisher(String, "asr/text", qos.EVENTS)
        self.create_subscription(Response, "aura/response", self._on_response, qos.EVENTS)

    def _on_response(self, msg: Response) -> None:
        if msg.final and not msg.refused:
            self.received[msg.id] = (time.time_ns(), msg)

    def ask(self) -> None:
        """Send a question; no two are the same."""
        text = f"what is it, number {len(self.asked)}?"
        self.asked[text] = time.time_ns()
        self._mouth.publish(String(data=text))


def measure(width: int, height: int, fps: int, n: int, folder: Path) -> list[Figure]:
    """Figures of `n` responses that nobody asked for, then of `n` questions.

    Raises `InputError` when they do not come.
    """
    times = (folder / f"times_{height}.jsonl").absolute()
    times.unlink(missing_ok=True)
    os.environ[TIMES] = str(times)
    picture = {"width": width, "height": height, "fps": fps}
    assistant = {
        "model.path": "scripted",
        "watch_file": "",
        "decider.unsolicited": True,
        "watch.duplicate_s": 0.0,
        "generation.questions_per_minute": 0,
    }
    started: list[Launched] = []
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    user = User()
    executor = SingleThreadedExecutor()
    executor.add_node(user)
    try:
        for program in (
            Program(f"assistant_{height}", "ros_bench.assistant", assistant),
            Program(f"camera_{height}", "ros_bench.camera", picture),
        ):
            started.append(Launched(program, folder))
        _spin(executor, lambda: len(user.received) >= WARM + n, 2.0 * n)
        unasked = set(user.received)
        moments = random.Random(SEED)
        for _ in range(WARM + n):
            pause_s = time.monotonic() + moments.uniform(0.2, 1.2)
            _spin(executor, lambda until_s=pause_s: time.monotonic() >= until_s)
            user.ask()
        _spin(executor, lambda: len(_answers(user)) >= WARM + n)
    finally:
        for process in started:
            process.end()
        executor.shutdown()
        user.destroy_node()
        rclpy.try_shutdown()
    lines = {line["id"]: line for line in map(json.loads, times.read_text().splitlines())}
    told = [(at, msg, lines[i]) for i, (at, msg) in user.received.items() if i in unasked]
    frames = [_frame(at, msg, line) for at, msg, line in told[WARM:] if line["arrived_ns"]]
    questions = [
        _question(user.asked[text], at, lines[msg.id]) for text, at, msg in _answers(user)[WARM:]
    ]
    part, goal = f"{width}x{height}@{fps}", {}
    if height == 480:
        goal = {"ros": "<= 5 ms p50, <= 15 ms p95"}
    return [
        *of(part, "ms", frames, FRAME, goal),
        *of(part, "ms", questions, QUESTION, goal),
    ]


def _spin(executor: SingleThreadedExecutor, done: Any, extra_s: float = 0.0) -> None:
    deadline_s = time.monotonic() + START_S + extra_s
    while not done():
        executor.spin_once(timeout_sec=0.01)
        if time.monotonic() > deadline_s:
            raise InputError("the responses of the assistant did not come; see the nodes' logs")


def _answers(user: User) -> list[tuple[str, int, Response]]:
    """The answered questions, in the order of asking."""
    found = []
    for text in user.asked:
        for at_ns, msg in user.received.values():
            if text in msg.text:
                found.append((text, at_ns, msg))
    return found


def _frame(at_ns: int, msg: Response, line: dict[str, Any]) -> dict[str, float]:
    stamp_ns = to_ns(msg.header.stamp)
    return {
        **_times(stamp_ns, at_ns, line),
        "image": (line["arrived_ns"] - stamp_ns) / 1e6,
        "to_model": (line["stepped_ns"] - line["arrived_ns"]) / 1e6 - line["step_ms"],
        "words": line["words_ms"],
        "word": line["words_ms"] / max(1, line["words"]),
        "step": line["step_ms"],
    }


def _question(asked_ns: int, at_ns: int, line: dict[str, Any]) -> dict[str, float]:
    return {
        **_times(asked_ns, at_ns, line),
        "to_model": (line["stepped_ns"] - asked_ns) / 1e6 - line["step_ms"],
    }


def _times(from_ns: int, at_ns: int, line: dict[str, Any]) -> dict[str, float]:
    ros_ms = (at_ns - from_ns) / 1e6 - line["step_ms"]
    out_ms = (at_ns - line["stepped_ns"]) / 1e6
    return {"ros": ros_ms, "with_words": ros_ms + line["words_ms"], "out": out_ms}
