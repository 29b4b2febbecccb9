"""`aura bench latency`: from a question to the first word of its answer, live.

The real host runs on the simulated camera in real time. Questions come at random moments, so that
all phases of a second are met.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from aura_core.config import AssistantConfig
from aura_core.errors import ModelError
from aura_core.live.events import Event, Failed, Ready, Refused, Stepped, Words
from aura_core.live.host import Host
from aura_core.models.backend import Backend
from aura_core.sim.episode import TEST_PLAN, Episode
from aura_core.sim.render import Camera
from aura_core.types import NS, Frame, Kind

SEED = 900_001
FPS = 30
LEAD_S = 2.5  # of video before the first question
PAUSE_S = (0.5, 2.5)  # shortest and longest time between an answer and the next question
LONGEST_S = 30.0  # for an answer; then it counts as unanswered


def measure(
    load: Callable[[], Backend],
    config: AssistantConfig,
    questions: int,
    on_ready: Callable[[str], None] = lambda description: None,
    on_answer: Callable[[], None] = lambda: None,
    seed: int = SEED,
) -> dict[str, Any]:
    """Ask `questions` questions, one after another, and measure each in wall-clock time.

    A time runs from the call of `Host.ask` to the first `Words` event of the answer (to the step,
    where an answer has no words of the model).

    Args:
        load: opens the model.
        config: settings; `generation.at_once` says how questions are asked.
        questions: how many.
        on_ready: gets the description of the model.
        on_answer: called after each answer.
        seed: of the room and of the moments.

    Returns:
        p50, p95 and max [ms], n, and the number of questions that were refused or not answered.

    Raises:
        ModelError: the model cannot be loaded.
    """
    rng = np.random.default_rng(seed)
    texts = _texts(seed)
    camera = Camera(Episode.generate(seed, 600, TEST_PLAN).world)
    config = replace(
        config,
        decider=replace(config.decider, unsolicited=False),
        generation=replace(config.generation, questions_per_minute=0),
    )
    host = Host(load, config)
    loaded: queue.SimpleQueue[Ready | Failed] = queue.SimpleQueue()
    told: queue.SimpleQueue[tuple[float, str]] = queue.SimpleQueue()

    def listen(event: Event) -> None:
        now = time.perf_counter()
        match event:
            case Ready() | Failed():
                loaded.put(event)
            case Words() if event.asked:
                told.put((now, "words"))
            case Stepped() if event.step.question_id:
                told.put((now, "done"))
            case Refused():
                told.put((now, "refused"))

    host.listen(listen)
    host.start()
    ended = threading.Event()
    film = threading.Thread(target=_film, args=(host, camera, ended), name="camera", daemon=True)
    times_ms: list[float] = []
    refused = 0
    try:
        if isinstance(event := loaded.get(), Failed):
            raise ModelError(event.message)
        on_ready(event.description)
        film.start()
        time.sleep(LEAD_S)
        for i in range(questions):
            asked_s = time.perf_counter()
            host.ask(texts[i % len(texts)])
            spent_ms = _answered(told, asked_s)
            if spent_ms is None:
                refused += 1
            else:
                times_ms.append(spent_ms)
            on_answer()
            time.sleep(float(rng.uniform(*PAUSE_S)))
    finally:
        ended.set()
        if film.is_alive():
            film.join()
        host.stop()
    p50, p95 = (float(np.percentile(times_ms, q)) if times_ms else None for q in (50, 95))
    return {
        "question_to_word_p50_ms": p50,
        "question_to_word_p95_ms": p95,
        "question_to_word_max_ms": max(times_ms, default=None),
        "n": len(times_ms),
        "unanswered": refused,
    }


def _texts(seed: int) -> list[str]:
    """Questions about the room that are answered at once."""
    asks = Episode.generate(seed, 600, TEST_PLAN).asks
    return [a.text for a in asks if a.kind is Kind.REAL_TIME]


def _film(host: Host, camera: Camera, ended: threading.Event) -> None:
    """Offer frames at `FPS` in real time. The host converts (renders) those that it samples."""
    began = time.perf_counter()
    for i in range(FPS * 3600):
        if ended.wait(max(0.0, began + i / FPS - time.perf_counter())):
            return
        stamp_ns = i * NS // FPS
        host.inbox.offer(
            stamp_ns, lambda stamp_ns=stamp_ns: Frame(camera.frame(stamp_ns / NS), stamp_ns)
        )


def _answered(told: queue.SimpleQueue[tuple[float, str]], asked_s: float) -> float | None:
    """Wait for the whole answer. Returns the time to its first word [ms]; None: not answered."""
    first_s: float | None = None
    try:
        while True:
            now, what = told.get(timeout=LONGEST_S)
            if what == "refused":
                return None
            first_s = now if first_s is None else first_s
            if what == "done":
                return (first_s - asked_s) * 1e3
    except queue.Empty:
        return None
