"""The demo's processes: started with their output in files, watched, and ended as by Ctrl-C."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor

from aura_core.errors import InputError
from aura_ros.demo.user import DemoUser

PORT = 8640  # of the console, where it is free
START_S = 120.0  # most time that loading the model may take
SLACK_S = 20.0  # time after the planned end at which a run is given up


def start(
    folder: Path, module: str, *parameters: str, env: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a node as a process. Its output goes to a file in `folder`."""
    command = [sys.executable, "-m", f"aura_ros.{module}", "--ros-args"]
    for parameter in parameters:
        command += ["-p", parameter]
    with (folder / f"{module}.log").open("wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=env)


def stop(processes: Sequence[subprocess.Popen[bytes]]) -> list[int]:
    """End the processes as by Ctrl-C. Returns their exit codes."""
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
    codes = []
    for process in processes:
        try:
            codes.append(process.wait(timeout=10))
        except subprocess.TimeoutExpired:
            process.kill()
            codes.append(process.wait())
    return codes


def until_begun(
    user: DemoUser, processes: Mapping[str, subprocess.Popen[bytes]], folder: Path
) -> None:
    """Spin the user until the first second is decided.

    Raises `InputError` when a node ends, or when it takes too long.
    """
    executor = SingleThreadedExecutor()
    executor.add_node(user)
    deadline = time.monotonic() + START_S
    while not user.beats:
        executor.spin_once(timeout_sec=0.05)
        _all_run(processes, folder)
        if time.monotonic() > deadline:
            raise InputError(
                f"no frame was decided within {START_S:.0f} s ({user.state} {user.detail}); see"
                f" {folder}"
            )
    executor.remove_node(user)


def _all_run(processes: Mapping[str, subprocess.Popen[bytes]], folder: Path) -> None:
    """Raises `InputError` with the last line of a process that has ended."""
    for module, process in processes.items():
        if process.poll() is not None:
            lines = (folder / f"{module}.log").read_text(errors="replace").splitlines() or [
                "(no output)"
            ]
            raise InputError(f"{module} ended with code {process.returncode}: {lines[-1]}")


def watch(
    user: DemoUser, processes: dict[str, subprocess.Popen[bytes]], folder: Path, seconds: int
) -> None:
    """Spin the user until the last second is decided.

    Raises `InputError` when a node ends, or when nothing is decided.
    """
    until_begun(user, processes, folder)
    executor = SingleThreadedExecutor()
    executor.add_node(user)
    deadline = time.monotonic() + seconds + SLACK_S
    # of a second that is missing after that the table tells
    while seconds - 1 not in user.beats and time.monotonic() < deadline:
        executor.spin_once(timeout_sec=0.05)
        _all_run(processes, folder)
    end = time.monotonic() + 0.5  # the last second's response may be behind its heartbeat
    while time.monotonic() < end:
        executor.spin_once(timeout_sec=0.05)


def free_port() -> int:
    """The console's own port; 0, which means any that is free, where it is taken."""
    with socket.socket() as probe:
        return 0 if probe.connect_ex(("127.0.0.1", PORT)) == 0 else PORT


def address(console: subprocess.Popen[bytes], folder: Path) -> str:
    """The address that the console prints. Raises `InputError` when it does not start."""
    log, deadline = folder / "console_node.log", time.monotonic() + START_S
    while time.monotonic() < deadline:
        lines = log.read_text(errors="replace").splitlines()
        for line in lines:
            if line.startswith("console: "):
                return line.removeprefix("console: ")
        if console.poll() is not None:
            last = lines[-1] if lines else "(no output)"
            raise InputError(f"console_node ended with code {console.returncode}: {last}")
        time.sleep(0.05)
    raise InputError(f"console_node has not started within {START_S:.0f} s; see {log}")


def wait(user: DemoUser, processes: Mapping[str, subprocess.Popen[bytes]]) -> None:
    """Spin the user until Ctrl-C, or until a process ends."""
    executor = SingleThreadedExecutor()
    executor.add_node(user)
    try:
        while all(process.poll() is None for process in processes.values()):
            executor.spin_once(timeout_sec=0.2)
    except (KeyboardInterrupt, ExternalShutdownException):
        return
