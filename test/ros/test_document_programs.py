"""Each command line of a document parses whose program imports ROS; nothing is run.

The others: test/core/test_document_commands.py.
"""

from __future__ import annotations

import shlex
from typing import Any

import pytest
import typer
from documented import DOCUMENTS, Command, commands_of

from aura_core.cli import app
from aura_ros.demo.__main__ import arguments
from aura_ros.ros_bench.__main__ import PARTS as ROS_PARTS
from aura_ros.ros_bench.__main__ import ros
from aura_ros.soak.__main__ import soak
from aura_ros.voice_bench.__main__ import voice
from aura_ros.voice_bench.parts import chosen

USES = {("soak",): soak, ("bench", "ros"): ros, ("bench", "voice"): voice}
COMMANDS = [c for file in DOCUMENTS for c in commands_of(file)]
PASSED_ON = [c for c in COMMANDS if any(c.words[1 : 1 + len(path)] == path for path in USES)]
DEMOS = [
    (c, word.partition("=")[2])
    for c in COMMANDS
    if c.words[:2] == ("make", "demo")
    for word in c.words[2:]
    if word.startswith("ARGS=")
]


def passed_on(command: Any, path: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    """The commands below this one that another program parses."""
    if command.context_settings.get("ignore_unknown_options"):
        return {path}
    below = getattr(command, "commands", {}).items()
    return {found for name, c in below for found in passed_on(c, (*path, name))}


def parse(command: Command) -> dict[str, Any]:
    """The options of a line of `aura`, as its program takes them."""
    (path,) = (p for p in USES if command.words[1 : 1 + len(p)] == p)
    program = typer.Typer(add_completion=False)
    program.command()(USES[path])
    args = list(command.words[1 + len(path) :])
    context = typer.main.get_command(program).make_context("aura", args)
    return context.params


def test_no_other_command_is_passed_on() -> None:
    assert passed_on(typer.main.get_command(app)) == set(USES)


@pytest.mark.parametrize("command", PASSED_ON, ids=lambda c: shlex.join(c.words))
def test_the_program_takes_the_options(command: Command) -> None:
    given = parse(command)
    chosen(given.get("only") or ())
    assert set(given.get("parts", "").split(",")) <= {*ROS_PARTS, ""}


@pytest.mark.parametrize(("command", "args"), DEMOS, ids=lambda v: v if isinstance(v, str) else "")
def test_the_demo_takes_the_options(command: Command, args: str) -> None:
    try:
        arguments(shlex.split(args))
    except SystemExit as e:
        assert e.code == 0, command.line  # --help


def test_lines_were_found_and_a_wrong_one_is_refused() -> None:
    assert len(PASSED_ON) > 5 and len(DEMOS) > 3
    with pytest.raises(typer.BadParameter.__bases__[0], match="--minute"):
        parse(Command(("aura", "soak", "--minute", "3"), True, ""))
    with pytest.raises(SystemExit):
        arguments(["--second", "x"])
