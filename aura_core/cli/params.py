"""`aura params`: every parameter of every ROS 2 node, as Markdown. It writes docs/parameters.md."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from aura_core.errors import InputError
from aura_core.node_settings import NODES, ManagedConfig
from aura_core.settings import Parameter, Settings, Value, parameters

_TITLE = """# Parameters

<!-- Made by `aura params > docs/parameters.md` from the settings in `aura_core`. Do not edit. -->

All parameters of all nodes. They stand in a parameter file (`config/*.yaml`) or behind
`--ros-args -p NAME:=VALUE`; `ros2 param describe /assistant_node NAME` describes one of them. Those
of `assistant_node` that have a section (`window.keep`), and `system_prompt`, are the settings of
the engine: `aura run`, `aura replay` and `aura eval` read them with `--config`. `voice_node` runs
the nodes of microphone, asr, tts and speaker in one process. A parameter marked *live* can be
changed at any time; the others while the node is unconfigured (`ros2 lifecycle set NODE deactivate`
and `cleanup`, then `ros2 param set`, then `configure` and `activate`). `NAME` in a parameter is a
name that you choose: `reactions.NAME.do` is `reactions.stop.do` for a reaction called stop.
"""


def params(
    node: Annotated[
        str | None, typer.Option("--node", help=f"only this node: {', '.join(NODES)}")
    ] = None,
) -> None:
    """Print the parameters of the ROS 2 nodes, with defaults and limits, as Markdown."""
    if node is not None and node not in NODES:
        raise InputError(f"--node must be one of {', '.join(NODES)}, not '{node}'")
    if node is None:
        print(_TITLE)
        print(f"{table('every node', ManagedConfig)}\n")
    names = [node] if node else NODES
    print("\n\n".join(table(name, NODES[name]) for name in names))


def table(node: str, cls: type[Settings]) -> str:
    """A heading and a Markdown table with one row per parameter of `node`."""
    return "\n".join(_lines(node, cls))


def _lines(node: str, cls: type[Settings]) -> Iterator[str]:
    about = " ".join((cls.__doc__ or "").split()).partition(": ")[2]
    yield f"## {node}\n{about[:1].upper()}{about[1:]}\n"
    yield "| parameter | default | allowed | unit | meaning |"
    yield "| --- | --- | --- | --- | --- |"
    for p in parameters(cls):
        live = " *live*" if p.setting.live else ""
        cells = (
            f"`{p.name}`{live}",
            _value(p.default),
            _allowed(p),
            p.setting.unit,
            p.description_without_unit,
        )
        yield f"| {' | '.join(c.replace('|', chr(92) + '|') for c in cells)} |"


def _value(value: Value) -> str:
    if value in ("", ()):
        return "empty"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _allowed(p: Parameter) -> str:
    s = p.setting
    if s.choices:
        return ", ".join(f"`{choice}`" if choice else "empty" for choice in s.choices)
    if isinstance(p.default, bool):
        return "`true`, `false`"
    kind = {str: "text", tuple: "texts", int: "whole number", float: "number"}[type(p.default)]
    words = f"{kind} {s.limits}".strip()
    outside = s.unset not in (None, "") and s.refusal(s.unset, p.name)
    return f"{words}, or {s.unset}" if outside else words
