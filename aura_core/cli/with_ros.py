"""Commands that need ROS. `aura_core` never imports it: they run in a process of their own, which
has their options and their help."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

import typer

from aura_core.errors import AuraError, ConfigError

# settings of a typer command that passes everything on, `--help` too
PASSES_ON: dict[str, Any] = {
    "allow_extra_args": True,
    "ignore_unknown_options": True,
    "help_option_names": [],
}


def main_of(command: str, function: Callable[..., None]) -> None:
    """The `main` of such a module. Errors that a user can fix are one line and exit code 1.

    Threads of rclpy may still run then: the process ends without waiting for them.
    """
    app = typer.Typer(name=command, add_completion=False, pretty_exceptions_enable=False)
    app.command(name=function.__name__)(function)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was started is ended then too
    try:
        app(prog_name=command)
    except AuraError as e:
        print(f"error: {' '.join(str(e).split())}", file=sys.stderr)
        sys.stderr.flush()
        os._exit(1)


def run_module(command: str, module: str, args: Sequence[str]) -> typer.Exit:
    """Run `python -m module args`. Returns the end of this command, with the same exit code.

    Raises `ConfigError` where ROS or the module's package is missing.
    """
    for package in ("rclpy", module.partition(".")[0]):
        if importlib.util.find_spec(package) is None:
            raise ConfigError(
                f"{command} needs ROS 2 and this package's nodes: {package} is missing (README)"
            )
    child = subprocess.Popen([sys.executable, "-m", module, *args])
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    while True:
        with contextlib.suppress(KeyboardInterrupt):  # it gets Ctrl-C too, and ends in its own way
            return typer.Exit(child.wait())
