"""`make demo`: camera, assistant and user as ROS 2 processes, compared with the ground truth."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import rclpy
from rclpy.executors import ExternalShutdownException
from rich.console import Console

from aura_core.cli import output
from aura_core.errors import AuraError, InputError
from aura_core.evaluation.scoring import EpisodeScore, score
from aura_core.evaluation.timeline import draw
from aura_core.sim.render import Camera
from aura_core.sim.sensor import CAMERAS, sensor
from aura_core.sim.showcase import showcase
from aura_core.sim.talk import Talk
from aura_ros.demo import memory
from aura_ros.demo.processes import address, free_port, start, stop, until_begun, wait, watch
from aura_ros.demo.report import complete, report, table
from aura_ros.demo.user import DemoUser
from aura_ros.demo.voice import VoiceUser, open_devices

PICTURES = 10


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """The options of the demo."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument(
        "--seconds",
        type=int,
        help="length of the run (60; with --console 300; with --memory 3600)",
    )
    parser.add_argument(
        "--seed", type=int, default=900001, help="which room (tests use seeds from 500000 on)"
    )
    parser.add_argument(
        "--model",
        help="checkpoint folder, hub id, or an embedded model (aura_tiny; with --memory"
        " aura_tiny_memory)",
    )
    parser.add_argument(
        "--camera",
        choices=CAMERAS,
        default="drawn",
        help="drawn: the seed's own clock and picture faults; ideal: none",
    )
    parser.add_argument("--json", type=Path, help="write the result here")
    parser.add_argument(
        "--png", type=Path, help="the picture (out/demo.png; with --memory out/memory.png)"
    )
    parser.add_argument(
        "--memory",
        action="store_true",
        help="an hour in a minute, without ROS processes; at its end it is asked about",
    )
    parser.add_argument(
        "--voice",
        action="store_true",
        help="speak the questions and the answers (devices: see --devices)",
    )
    parser.add_argument(
        "--devices",
        choices=("auto", "real", "virtual"),
        default="auto",
        help="with --voice: auto takes real sound devices where there are any",
    )
    parser.add_argument(
        "--wav",
        type=Path,
        default=Path("out/demo.wav"),
        help="with virtual devices: what was heard",
    )
    parser.add_argument(
        "--console",
        action="store_true",
        help="show it on a page in the browser, which stays until Ctrl-C",
    )
    parser.add_argument(
        "--headless", action="store_true", help="open neither the picture nor the page"
    )
    return parser.parse_args(argv)


def run(options: argparse.Namespace, console: Console) -> int:
    """Run the demo once. Returns the exit code."""
    options.model = options.model or ("aura_tiny_memory" if options.memory else "aura_tiny")
    if options.memory:
        if options.voice:
            raise InputError("--memory plays an hour in a minute: it cannot be spoken (--voice)")
        if options.console:
            raise InputError("--memory plays an hour in a minute: --console cannot show it")
        return memory.run(options, console)
    if options.seconds is None:
        options.seconds = 300 if options.console else 60
    options.png = options.png or Path("out/demo.png")
    output.check("--json", options.json)
    looking = sensor(options.camera, options.seed)
    episode = showcase(options.seed, options.seconds, spoken=options.voice, sensor=looking)
    folder = options.png.parent / "demo-logs"
    folder.mkdir(parents=True, exist_ok=True)

    def show(chunk: int, state: str, p_silent: float, text: str) -> None:
        words = f"[bold]{text}[/]  p(silent)={p_silent:.3f}  [cyan]{state}[/]"
        if state == "silent":
            event = episode.world.event_at(chunk)
            happened = f"   ({Talk().announce(event)})" if event else ""
            words = f"[dim]silent  p(silent)={p_silent:.3f}{happened}[/]"
        elif state == "ask":
            words = f"[yellow]user: {text}[/]"
        console.print(f"{chunk:4d} s  {words}", highlight=False)

    console.print(
        f"seed {options.seed}, {options.seconds} s; loading {options.model}; logs in {folder}/"
    )
    rclpy.init(args=[])
    processes: dict[str, subprocess.Popen[bytes]] = {}
    codes: dict[str, int] = {}
    with contextlib.ExitStack() as stack:
        user = DemoUser(episode, show)
        voice = (
            stack.enter_context(open_devices(options.devices, options.wav))
            if options.voice
            else None
        )
        try:
            if voice is not None:
                console.print(voice.description, highlight=False)
                user = VoiceUser(episode, show, voice)
                processes["voice_node"] = start(folder, "voice_node", env=voice.environment)
                user.wait_for_ears()
            processes["assistant_node"] = start(
                folder, "assistant_node", f"model.path:={options.model}"
            )
            processes["sim_camera_node"] = start(
                folder,
                "sim_camera_node",
                f"seed:={options.seed}",
                f"duration_s:={options.seconds + 5}",
                f"camera:={options.camera}",
            )
            if options.console:
                # A camera begins when somebody sees it, and that must be the assistant: while its
                # frames go to a console alone, the first seconds pass.
                until_begun(user, processes, folder)
                processes["console_node"] = start(folder, "console_node", f"port:={free_port()}")
                url = address(processes["console_node"], folder)
                console.print(f"[bold]{url}[/]", highlight=False)
                _open(url, options)
            watch(user, processes, folder, options.seconds)
            if options.console:
                console.print("the page stays until Ctrl-C; then the run is compared with the room")
                wait(user, processes)
        finally:
            codes = dict(zip(processes, stop(list(processes.values())), strict=True))
    episode = user.episode()
    result = score(episode, [s for s in user.said() if s.chunk < options.seconds], options.seconds)
    save(options, user, result)
    console.print(table(result))
    document = report(options.seed, options.seconds, user, result, codes)
    p95 = {k: document[k]["p95"] for k in ("step_ms", "frame_age_ms")}
    console.print(
        f"{document['seconds_decided']}/{options.seconds} seconds decided, step p95"
        f" {p95['step_ms']:.0f} ms, newest frame {p95['frame_age_ms']:.0f} ms old at p95; timeline:"
        f" {options.png}",
        highlight=False,
    )
    if options.json is not None:
        output.write(options.json, json.dumps(document, indent=2) + "\n")
    user.destroy_node()
    rclpy.try_shutdown()
    return 0 if complete(document) else 1


def save(options: argparse.Namespace, user: DemoUser, result: EpisodeScore) -> None:
    """Draw the timeline, and open it where there is a screen."""
    looking = sensor(options.camera, options.seed)
    camera, every = (
        Camera(result.episode.world, sensor=looking),
        max(1, options.seconds // PICTURES),
    )
    pictures = [(c, camera.frame(c + 0.5)) for c in range(every // 2, options.seconds, every)]
    p_silent = {c: b.p_silent for c, b in user.beats.items() if c < options.seconds}
    draw(
        result,
        user.said(),
        p_silent,
        options.png,
        f"aura_ros on a simulated room, seed {options.seed}",
        pictures,
    )
    _open(str(options.png), options)


def _open(what: str, options: argparse.Namespace) -> None:
    """Open a file or a page, where there is a screen."""
    if not options.headless and os.environ.get("DISPLAY"):
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.Popen(["xdg-open", what], **silent)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point.

    The exit code is 0 only when every second was decided and every question answered.
    """
    console = Console(soft_wrap=True, width=None if sys.stdout.isatty() else 120)
    try:
        return run(arguments(argv), console)
    except AuraError as e:
        print(f"error: {e}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, ExternalShutdownException):
        return 130


if __name__ == "__main__":
    sys.exit(main())
