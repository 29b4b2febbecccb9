"""`aura run SOURCE`: watch a video, a camera, a folder or a simulated room, without ROS."""

from __future__ import annotations

from typing import Annotated

import typer

from aura_core.cli import options


def run(
    source: Annotated[
        str,
        typer.Argument(
            help="Video file, folder of images, camera:0, sim:SEED, rtsp://... or http://..."
        ),
    ],
    ask: options.Ask = [],  # noqa: B006 - typer reads the default and never changes it
    out: options.Out = None,
    config: options.Config = None,
    model: options.Model = None,
    device: options.Device = None,
    dtype: options.Dtype = None,
    seconds: options.Seconds = None,
    memory: options.Memory = None,
    realtime: options.Realtime = False,
    quiet: options.Quiet = False,
) -> None:
    """Watch SOURCE, and print each second: silent, or the words."""
    from aura_core.cli.show import showing
    from aura_core.cli.stream import check_questions, open_lockstep, show_live, show_steps
    from aura_core.models import foreign
    from aura_core.replay.lockstep import Asked, insert, paced
    from aura_core.sources import open_source
    from aura_core.sources.address import shown

    questions = [Asked.parse(a) for a in ask]
    settings = options.assistant_config(config, model, device, dtype)
    settings = options.remembering(settings, memory)
    c = settings.sampling
    opened = open_source(source, c.fps, seconds, c.tolerance_s, c.hold_s)
    with opened as frames, showing(out, quiet) as show:
        show.note(f"source: {opened.description}")
        events = insert(frames, questions)
        warned = foreign(settings.model, shown(source), settings.server)
        other = foreign(settings.fallback.model, shown(source), settings.fallback.server)
        if opened.live:
            show.warn_of(warned)
            if other:
                show.warn(f"{other} in fallback.model.path")
            refused = show_live(settings, events, questions, show)
        else:
            with open_lockstep(settings, show) as (lockstep, remembers):
                check_questions(lockstep.engine.conversation, questions)
                show.warn_of(warned)
                events = paced(events) if realtime else events
                refused = show_steps(lockstep, events, show, memory=remembers)
        if opened.skipped:
            show.warn(
                f"{opened.skipped} frames of {shown(source)} could not be decoded and were left out"
            )
    if refused:
        raise typer.Exit(1)
