"""`aura soak`: the ROS nodes for long, with questions and crashes, judged at the end."""

from __future__ import annotations

import typer

from aura_core.cli.with_ros import PASSES_ON, run_module

CONTEXT = PASSES_ON


def soak(context: typer.Context) -> None:
    """Run the ROS nodes for long, ask all the time, kill one after another, and judge it."""
    raise run_module("aura soak", "aura_ros.soak", context.args)
