"""`aura bench console`: what the console costs, and how fast it shows what happens.

All in real time, over the loopback. Pages without a browser are web sockets of another process; it
reads them as a browser would, and draws nothing. A time from an event runs from the call that tells
it, which is on the model's thread in real use.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from aura_core.config import AssistantConfig
from aura_core.console import protocol as p
from aura_core.console.clock import now_ms
from aura_core.console.feed import Source
from aura_core.console.local import LocalRobot
from aura_core.console.robot import Robot, Seen
from aura_core.console.server import Server, page_files
from aura_core.console.settings import ConsoleConfig
from aura_core.errors import InputError, ModelError
from aura_core.evaluation.statistics import bootstrap
from aura_core.live.events import Event, Failed, Ready, Stepped
from aura_core.sim.render import Camera
from aura_core.sim.world import World

SEED = 900_001
SIZE = (640, 480)  # of the frames, in pixels
FPS = 2.0
WARM_S = 1.0  # what a page gets before is not measured
MARKS, MARK_S = 120, 0.25  # events whose time to the pixel is measured, and between two
LOADS = 10  # of the page, for its first paint
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
Say = Callable[[str], None]
T = TypeVar("T")


class Scene(Robot):
    """Frames of a simulated room, a decision each second, and an answer now and then."""

    title = "benchmark"
    cameras = (p.Camera("", "room"),)

    def __init__(self) -> None:
        super().__init__()
        self._images, self._count = pictures(), 0
        self._ending = threading.Event()

    def abilities(self) -> Mapping[str, str]:
        """See `Robot`."""
        return dict.fromkeys(p.ABILITIES, "")

    def open(self) -> None:
        """See `Robot`."""
        self._thread = threading.Thread(target=self._main, name="scene", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """See `Robot`."""
        self._ending.set()
        self._thread.join()

    def _main(self) -> None:
        while not self._ending.wait(1 / FPS):
            stamp_ns, image = time.time_ns(), self._images[self._count % len(self._images)]
            self._count += 1
            self.tell(Seen("", stamp_ns, image))
            if self._count % int(FPS) == 0:
                self._second(stamp_ns, image)

    def _second(self, stamp_ns: int, image: NDArray[np.uint8]) -> None:
        number = self._count // int(FPS)
        self.tell(Seen("", stamp_ns, image, "second"))
        self.tell(p.Second("", number, stamp_ns, now_ms(), "silent", 0.9, window_max=60))
        if number % 5 == 0:  # an answer of ten words
            words = ["a", "red", "cup", "stands", "on", "the", "table", "near", "the", "window"]
            for i in range(len(words)):
                said = " ".join(words[: i + 1])
                self.tell(p.Words(f"r{number}", "", said, now_ms()))
            self.tell(p.Said(f"r{number}", "", " ".join(words), stamp_ns, now_ms()))


def pictures() -> list[NDArray[np.uint8]]:
    """Frames of the simulated room with the noise of a sensor, RGB (480, 640, 3)."""
    camera, rng = Camera(World.generate(SEED, 60)), np.random.default_rng(SEED)
    found = []
    for i in range(16):
        image = cv2.resize(camera.frame(2.0 * i), SIZE, interpolation=cv2.INTER_CUBIC)
        noisy = image + rng.normal(0.0, 4.0, image.shape)
        found.append(np.clip(noisy, 0, 255).astype(np.uint8))
    return found


@contextmanager
def serving(robot: Robot) -> Iterator[Server]:
    """A server on a free port."""
    server = Server(robot, ConsoleConfig(port=0, max_clients=1000))
    server.start()
    try:
        yield server
    finally:
        server.stop()


def pages(server: Server, count: int, seconds: float, nice: int = 0) -> dict[str, Any]:
    """Open pages in another process for some seconds. Returns what they have seen.

    `nice`: how much that process gives way to others.
    """
    command = [sys.executable, "-m", "aura_core.bench.console_pages"]
    command += [f"http://127.0.0.1:{server.port}/socket", str(count), str(seconds)]
    command += [str(WARM_S), str(nice)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InputError(f"the pages of the benchmark ended: {done.stderr.strip()[-300:]}")
    return dict(json.loads(done.stdout))


# ---- parts ---------------------------------------------------------------------------------------


def socket_times(seconds: float) -> dict[str, float]:
    """From an event, and from a frame, to the socket of another process [ms]."""
    with serving(Scene()) as server:
        seen = pages(server, 1, seconds)
    return {
        **_quantiles("event_to_socket_ms", seen["events_ms"]),
        **_quantiles("frame_to_socket_ms", seen["frames_ms"]),
    }


def cost(seconds: float, count: int) -> dict[str, float]:
    """What one page and what `count` pages cost, in shares of a core: frames of 640x480 at 2 FPS,
    and all events. CPU time is counted, so other programs that run change little."""
    with serving(Scene()) as server:
        time.sleep(2.0)
        wall_s, used_s, _ = _cpu(lambda: time.sleep(seconds))
        alone = used_s / wall_s

        def more(pages_open: int) -> tuple[float, dict[str, Any]]:
            # The start of the other process takes time too, in which no page is open.
            wall_s, used_s, seen = _cpu(lambda: pages(server, pages_open, seconds))
            return (used_s - alone * wall_s) / seconds, seen

        one, seen = more(1)
        many, of_many = more(count)
    expected = FPS * (seconds - WARM_S) * count
    size = sum(seen["frame_bytes"]) / max(1, len(seen["frame_bytes"]))
    return {
        "cpu_without_pages_percent": 100 * alone,
        "cpu_of_a_page_percent": 100 * one,
        f"cpu_of_{count}_pages_percent": 100 * many,
        f"frames_of_{count}_pages_percent": 100 * len(of_many["frames_ms"]) / expected,
        "jpeg_kb": size / 1e3,
    }


def _cpu(work: Callable[[], T]) -> tuple[float, float, T]:
    """How long `work` takes, the CPU time of this process meanwhile [s], and its result."""
    began_s, used_s = time.monotonic(), time.process_time()
    result = work()
    return time.monotonic() - began_s, time.process_time() - used_s, result


def step_times(
    config: AssistantConfig, count: int, seconds: float, rounds: int, say: Say
) -> dict[str, Any]:
    """The time of a step with `count` pages and with none, in turns, with a real model [ms].

    The pages' own process gives way to the model: in real use they are on other machines.
    """
    robot = LocalRobot(Source.parse_all([f"sim:{SEED}"]), config, 600.0, loop=True)
    ready: list[Ready | Failed] = []
    loaded, steps = threading.Event(), list[float]()

    def listen(event: Event) -> None:
        if isinstance(event, Ready | Failed):
            ready.append(event)
            loaded.set()
        elif isinstance(event, Stepped):
            steps.append(event.step.decide_ms)

    robot.host.listen(listen)
    found: dict[bool, list[list[float]]] = {False: [], True: []}  # by turn
    with serving(robot) as server:
        loaded.wait()
        if isinstance(ready[0], Failed):
            raise ModelError(ready[0].message)
        say(ready[0].description)
        time.sleep(3.0)
        for turn in range(2 * rounds):
            watched = turn % 2 == 1
            say(f"round {turn // 2 + 1} of {rounds}: {count if watched else 0} pages")
            steps.clear()
            if watched:
                pages(server, count, seconds, nice=19)
            else:
                time.sleep(seconds)
            found[watched].append(list(steps))
    turns = list(zip(found[False], found[True], strict=True))
    without, with_pages = (np.percentile(np.concatenate(found[w]), (50, 95)) for w in (False, True))
    ratio = bootstrap(turns, p95_ratio, len(turns), share=False)
    return {
        "pages": count,
        "decide_p50_ms_without": float(without[0]),
        "decide_p95_ms_without": float(without[1]),
        "decide_p50_ms_with": float(with_pages[0]),
        "decide_p95_ms_with": float(with_pages[1]),
        "decide_p95_ratio": ratio.value,
        "decide_p95_ratio_low": ratio.ci95[0],
        "decide_p95_ratio_high": ratio.ci95[1],
        "steps_without": sum(map(len, found[False])),
        "steps_with": sum(map(len, found[True])),
        "model": ready[0].description,
    }


def p95_ratio(turns: Sequence[tuple[list[float], list[float]]]) -> float:
    """The 95 % quantile of the second lists' times over that of the first ones."""
    first, second = (np.percentile(np.concatenate(of), 95) for of in zip(*turns, strict=True))
    return float(second / first)


def weight() -> dict[str, float]:
    """Size of all files of the page [kB], as they are and as they are sent."""
    files = page_files()
    return {
        "page_kb": sum(len(file.content) for file in files.values()) / 1e3,
        "page_sent_kb": sum(len(gzip.compress(f.content, 9)) for f in files.values()) / 1e3,
        "page_files": len(files),
    }


# The time from an event to the frame that shows it: the text of the event has its time. Once it is
# in the document, the next animation frame draws it; a message that is posted there comes after.
_PIXELS = """
(count) => new Promise((done) => {
  const found = [], seen = new Set();
  const look = () => {
    const text = document.body.textContent;
    for (const [, number, told] of text.matchAll(/mark-(\\d+)-at-(\\d+\\.\\d+)/g)) {
      if (seen.has(number)) continue;
      seen.add(number);
      requestAnimationFrame(() => {
        const drawn = new MessageChannel();
        drawn.port1.onmessage = () => {
          found.push(Date.now() - Number(told));
          if (found.length >= count) { observer.disconnect(); done(found); }
        };
        drawn.port2.postMessage(0);
      });
    }
  };
  const observer = new MutationObserver(look);
  observer.observe(document.body, { subtree: true, childList: true, characterData: true });
})
"""
_PAINT = """
() => new Promise((done) => {
  const found = performance.getEntriesByName('first-contentful-paint');
  if (found.length) return done(found[0].startTime);
  new PerformanceObserver((list, observer) => {
    const [entry] = list.getEntriesByName('first-contentful-paint');
    if (entry) { observer.disconnect(); done(entry.startTime); }
  }).observe({ type: 'paint', buffered: true });
})
"""


def chromium_path() -> str:
    """The system's Chromium. Raises `InputError` where there is none."""
    named = os.environ.get("AURA_CHROMIUM")
    found = named or next(filter(None, map(shutil.which, CHROMIUM)), None)
    if found is None or not Path(found).exists():
        raise InputError(
            "--browser: there is no Chromium; install the system's package chromium, or name the"
            " program in AURA_CHROMIUM"
        )
    return found


def browser_times() -> dict[str, Any]:
    """From an event to the pixel, and to the first paint of the page, in a real Chromium [ms]."""
    path = chromium_path()
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as e:
        raise InputError("--browser needs Playwright: `.ci/setup browser` installs it") from e
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # it does not work for root
    robot = Scene()
    with serving(robot) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=sandbox)
        paints = []
        for _ in range(LOADS):  # each with an empty cache
            page = browser.new_context().new_page()
            page.goto(server.url)
            paints.append(float(page.evaluate(_PAINT)))
            page.context.close()
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(server.url)
        page.wait_for_timeout(2000)
        telling = threading.Thread(target=_tell_marks, args=(robot,), daemon=True)
        telling.start()
        pixels = page.evaluate(_PIXELS, MARKS)
        telling.join()
        version = browser.version
        browser.close()
    return {
        **_quantiles("event_to_pixel_ms", pixels),
        **_quantiles("first_paint_ms", paints),
        "chromium": version,
    }


def _tell_marks(robot: Robot) -> None:
    time.sleep(1.0)  # until the page looks for them
    for i in range(MARKS):
        at_ms = now_ms()
        robot.tell(p.Said(f"mark{i}", "", f"mark-{i}-at-{at_ms:.3f}", time.time_ns(), at_ms))
        time.sleep(MARK_S)


def _quantiles(name: str, values: Sequence[float]) -> dict[str, float]:
    if not values:
        raise InputError(f"nothing was measured for {name}: the time is too short")
    p50, p95 = np.percentile(values, (50, 95))
    return {
        f"{name}_p50": float(p50),
        f"{name}_p95": float(p95),
        f"{name}_max": float(max(values)),
        f"{name}_n": len(values),
    }


def measure(
    config: AssistantConfig,
    seconds: float,
    count: int,
    rounds: int,
    browser: bool,
    say: Say,
) -> dict[str, Any]:
    """All figures.

    Args:
        config: the model whose steps are measured.
        seconds: of each part, and of each turn.
        count: pages beside the model.
        rounds: how often turns with pages and without follow each other; 0: the model is left out.
        browser: also in a real browser.
        say: gets a line for each part.
    """
    if browser:
        chromium_path()
    found: dict[str, Any] = weight()
    say("event to socket")
    found |= socket_times(seconds)
    say("cost of a page, and of many")
    found |= cost(seconds, count)
    if browser:
        say("browser")
        found |= browser_times()
    if rounds:
        quiet = replace(config, memory=replace(config.memory, path=""))
        found |= step_times(quiet, count, seconds, rounds, say)
    return found
