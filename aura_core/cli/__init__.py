"""The `aura` command. Each subcommand is one module of this package.

The module has an `app` where it has subcommands of its own (`aura eval sim`), else a function of
its name, and where needed typer's settings of the command (`CONTEXT`). Importing this package loads
no model library: a subcommand imports what it needs when it runs.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer

from aura_core import AuraError, __version__

COMMANDS = (
    *("run", "console", "replay", "record", "eval", "calibrate", "train", "model"),
    *("data", "memory", "bench", "soak", "fuzz", "fit", "params", "template", "doctor"),
)

app = typer.Typer(
    name="aura",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(asked: bool) -> None:
    if asked:
        print(f"aura {__version__}")
        raise typer.Exit


@app.callback()
def _aura(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    """A video language model that watches a stream and decides each second: silent or speak."""


for _name in COMMANDS:
    if importlib.util.find_spec(f"{__name__}.{_name}") is not None:
        _module = importlib.import_module(f"{__name__}.{_name}")
        if hasattr(_module, "app"):
            app.add_typer(_module.app, name=_name)
        else:
            settings = getattr(_module, "CONTEXT", None)
            app.command(_name, context_settings=settings)(getattr(_module, _name))


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run the command line.

    Errors that a user can fix are one line on stderr and exit code 1.
    """
    try:
        app(args)
    except AuraError as e:
        print(f"error: {' '.join(str(e).split())}", file=sys.stderr)
        sys.exit(1)
    sys.exit(0)
