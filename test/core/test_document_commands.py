"""Each command line of a document parses: the command, its options, arguments and values exist.

Nothing is run. The options of `aura soak`, `aura bench ros`, `aura bench voice` and `make demo` are
in test/ros/test_document_commands.py, because their programs import ROS.

Regression: after a rebuild the documents named options that had moved.
"""

from __future__ import annotations

import ast
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from documented import DOCUMENTS, OTHERS, PROGRAMS, ROOT, Command, commands_of, of_line

from aura_core.cli import app
from aura_core.node_settings import NODES
from aura_core.settings import expand, parameters

AURA: Any = typer.main.get_command(app)
FILES = [f for f in [*DOCUMENTS, *OTHERS] if commands_of(f)]
PLACEHOLDER = re.compile(r"[A-Z]+$|\.\.\.$|[A-Z]+ ")  # of a sentence: `aura eval BENCHMARK`
USAGE_ERROR = typer.BadParameter.__bases__[0]  # of the click that typer uses, its own or another


def check(command: Command) -> None:
    """Raise AssertionError unless the command can be parsed."""
    program, *args = command.words
    if program == "accelerate":
        args = args[args.index("-m") :] if "-m" in args else []
    if program == "aura":
        check_aura(args, command.whole)
    elif program == "make":
        check_make(args)
    elif program == "ros2":
        check_ros2(args)
    elif args[:2] == ["-m", "aura_core.cli"]:
        check_aura(args[2:], command.whole)
    elif args[:1] == ["-m"] and args[1].startswith("aura_ros."):
        check_node(args[1].partition(".")[2], args[2:])


def check_aura(args: list[str], whole: bool = True) -> None:
    """The arguments of `aura`. Not whole: arguments may be missing, or stand for others."""
    command = AURA
    while hasattr(command, "commands") and args and not args[0].startswith("-"):
        if not whole and PLACEHOLDER.match(args[0]):
            return
        assert args[0] in command.commands, f"there is no command {args[0]}"
        command, args = command.commands[args[0]], args[1:]
    try:
        command.make_context(command.name, list(args))
    except typer.Exit:
        pass  # --help
    except USAGE_ERROR as e:
        missing = type(e).__name__ in ("MissingParameter", "BadOptionUsage", "NoArgsIsHelpError")
        stands_for_another = any(map(PLACEHOLDER.match, args)) and type(e) is typer.BadParameter
        assert not whole and (missing or stands_for_another), e.format_message()


def check_make(args: list[str]) -> None:
    """Targets, and variables of the Makefile or of the set-up."""
    makefile = (ROOT / "Makefile").read_text()
    for word in args:
        name, assigned, _ = word.partition("=")
        if assigned:
            scripts = [f.read_text() for f in (ROOT / ".ci").iterdir() if f.is_file()]
            known = "".join([makefile, *scripts])
            assert re.search(rf"\$[({{]?{name}\b", known), f"make reads no {name}"
        else:
            assert re.search(rf"^{name}:", makefile, re.MULTILINE), f"no target {name}"


def check_ros2(args: list[str]) -> None:
    """What is of this package: launch files with arguments, programs, types, parameters."""
    match args:
        case ["launch", "aura_ros", file, *given]:
            check_launch(ROOT / "launch" / file, given)
        case ["run", "aura_ros", node, *given]:
            check_node(node, given)
        case ["param", "set" | "get" | "describe", node, name, *_] if node.strip("/") in NODES:
            check_parameter(node.strip("/"), name)
        case ["lifecycle", "set", node, state]:
            assert node == "NODE" or node.strip("/") in NODES, f"no node {node}"
            assert state in ("configure", "activate", "deactivate", "cleanup", "shutdown")
    for word, after in pairwise([*args, "{}"]):
        if found := re.fullmatch(r"aura_ros/(msg|srv|action)/(\w+)", word):
            file = ROOT / found[1] / f"{found[2]}.{found[1]}"
            assert file.is_file(), f"no type {word}"
            request = file.read_text().partition("---")[0]
            fields = yaml.safe_load(after)
            for field in fields if isinstance(fields, dict) else ():
                assert re.search(rf"^\S+ {field}\b", request, re.MULTILINE), f"no field {field}"


def check_launch(file: Path, given: list[str]) -> None:
    """The arguments `name:=value` of a launch file, with its choices where they stand there."""
    assert file.is_file(), f"no launch file {file.name}"
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "ARGUMENTS":
            assert isinstance(node.value, ast.Tuple)
            rows = [row.elts for row in node.value.elts if isinstance(row, ast.Tuple)]
    known = {ast.literal_eval(name): choices for name, _, _, choices in rows}
    for word in given:
        name, assigned, value = word.partition(":=")
        assert assigned or word.startswith("-"), f"{word} is no name:=value"
        assert not assigned or name in known, f"{file.name} has no argument {name}"
        if assigned and re.fullmatch(r"\[['\"\w, ]+\]", text := ast.unparse(known[name])):
            assert value in ast.literal_eval(text), f"{name} cannot be {value}"


def check_node(name: str, args: list[str]) -> None:
    """A program of this package, with its parameters and files."""
    assert (ROOT / "aura_ros" / f"{name}.py").is_file(), f"no program {name}"
    for word, after in pairwise([*args, ""]):
        if word == "-p" and name in NODES:
            check_parameter(name, after.partition(":=")[0])
        elif word == "--params-file" and after.startswith("config/"):
            assert (ROOT / after).is_file(), f"no file {after}"
        elif name == "robot_node" and word.endswith("_node"):
            assert word in NODES, f"no node {word}"


def check_parameter(node: str, name: str) -> None:
    """A parameter of a node, also one of a named section, such as `watches.fall.text`."""
    table = expand(parameters(NODES[node]), [name])
    assert name == "NAME" or name in {p.name for p in table}, f"{node} has no parameter {name}"


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_every_command_line_of_a_document_parses(file: Path) -> None:
    wrong = []
    for command in commands_of(file):
        try:
            check(command)
        except AssertionError as e:
            wrong.append(f"`{command.line}`: {str(e).splitlines()[0]}")
    assert not wrong, "\n".join(wrong)


def test_commands_of_all_kinds_were_found() -> None:
    found = [c for f in FILES for c in commands_of(f)]
    assert {c.words[0] for c in found} == set(PROGRAMS)
    assert sum(c.words[0] == "aura" and c.whole for c in found) > 80
    assert {"config", "docker", "docs", "launch"} <= {f.parent.name for f in FILES}


WRONG = {
    "aura walk sim:1": "there is no command walk",
    "aura data walk": "there is no command walk",
    "aura run sim:1 --asks '0:a'": "No such option: --asks",
    "aura run": "Missing argument",
    "aura run sim:1 sim:2": "unexpected extra argument",
    "aura data all --source sim --processes many --out x": "--processes",
    "aura bench data times --off 2": "--off",
    "python -m aura_core.cli run --model x": "Missing argument",
    "accelerate launch -m aura_core.cli train model --data": "requires an argument",
    "make walk": "no target walk",
    "make setup TORCHES=1": "make reads no TORCHES",
    "ros2 launch aura_ros walk.launch.py": "no launch file walk.launch.py",
    "ros2 launch aura_ros assistant.launch.py modell:=x": "has no argument modell",
    "ros2 launch aura_ros assistant.launch.py camera:=none voice:=loud": "voice cannot be loud",
    "ros2 run aura_ros walk_node": "no program walk_node",
    "ros2 service call /aura/ask aura_ros/srv/Asks {}": "no type aura_ros/srv/Asks",
    "ros2 service call /aura/ask aura_ros/srv/Ask '{words: a}'": "no field words",
    "ros2 param set /assistant_node watch.cooldown 1.0": "has no parameter watch.cooldown",
    "python -m aura_ros.camera_node --ros-args -p sources:=x": "has no parameter sources",
    "python -m aura_ros.camera_node --ros-args --params-file config/x.yaml": "no file config/x",
}


@pytest.mark.parametrize("line", WRONG)
def test_a_command_line_that_is_wrong_is_found(line: str) -> None:
    (command,) = of_line(f"true && {line} > out.txt  # a comment")
    with pytest.raises(AssertionError, match=re.escape(WRONG[line])):
        check(command)


def test_a_sentence_may_name_a_part_of_a_command() -> None:
    for line in ("aura eval BENCHMARK", "aura data structure --seed", "aura bench replay --busy N"):
        (command,) = of_line(line, whole=False)
        if "--seed" in line:
            with pytest.raises(AssertionError, match="--seed"):
                check(command)
        else:
            check(command)
