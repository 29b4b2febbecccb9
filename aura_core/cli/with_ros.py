"""Commands that need ROS. `aura_core` never imports it: they run in a process of their own, which
has their options and their help."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import typer

from aura_core.errors import ConfigError

# settings of a typer command that passes everything on, `--help` too
PASSES_ON: dict[str, Any] = {
    "allow_extra_args": True,
    "ignore_unknown_options": True,
    "help_option_names": [],
}


def run_module(command: str, module: str, args: Sequence[str]) -> typer.Exit:
    """Run `python -m module args`. Returns the end of this command, with the same exit code.

    Raises `ConfigError` where ROS or the module's package is missing.
    """
    for package in ("rclpy", module.partition(".")[0]):
        if importlib.util.find_spec(package) is None:
            raise ConfigError(
                f"{command} needs ROS 2 and this package's nodes: {package} is missing (README)"
            )
    return typer.Exit(subprocess.run([sys.executable, "-m", module, *args]).returncode)
