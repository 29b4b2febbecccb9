"""`aura template`: the chat template that a server of the checkpoint is started with."""

from __future__ import annotations

from typing import Annotated

import typer


def template(
    model: Annotated[str, typer.Option("--model", help="a folder or a hub id of a checkpoint")],
) -> None:
    """Print a checkpoint's chat template with bare places for videos, for vLLM's --chat-template.

    vLLM's processor writes the vision markers around each pair of frames. Templates of published
    checkpoints write them too, and the model would see them twice.
    """
    from aura_core.models.bare_template import bare_template

    print(bare_template(model), end="")
