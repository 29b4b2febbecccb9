"""`aura run SOURCE`: watch a video, camera, folder or simulated room, with no ROS."""

from __future__ import annotations

from typing import Annotated

import typer

from aura_core.cli import options


def run(
    source: Annotated[
        str, typer.Argument(help="Video file, folder of images, camera:0, sim:SEED or rtsp://...")
    ],
    ask: options.Ask = [],  # noqa: B006 - typer reads the default and never changes it
    out: options.Out = None,
    config: options.Config = None,
    model: options.Model = None,
    device: options.Device = None,
    dtype: options.Dtype = None,
    seconds: options.Seconds = None,
    realtime: options.Realtime = False,
    quiet: options.Quiet = False,
) -> None:
    """Watch SOURCE and print, each second, silence or the words."""
    from aura_core.cli.show import showing
    from aura_core.cli.stream import check_questions, open_assistant, paced, show_steps
    from aura_core.replay.lockstep import Asked, insert
    from aura_core.sources import open_source
    from aura_core.sources.newest import Newest

    questions = [Asked.parse(a) for a in ask]
    settings = options.assistant_config(config, model, device, dtype)
    c = settings.sampling
    opened = open_source(source, c.fps, seconds, c.tolerance_s)
    newest = Newest(opened) if opened.live else None
    with newest or opened as frames, showing(out, quiet) as show:
        show.note(f"source: {opened.description}")
        assistant = open_assistant(settings, show, opened.live)
        check_questions(assistant, questions)
        events = insert(frames, questions)
        if newest is not None:
            refused = show_steps(assistant, events, show, lambda: newest.waiting)
            if newest.dropped:
                show.warn(
                    f"{newest.dropped} frames of {source} came while the model was busy and were"
                    " left out"
                )
        else:
            refused = show_steps(assistant, paced(events) if realtime else events, show)
        if opened.skipped:
            show.warn(f"{opened.skipped} frames of {source} could not be decoded and were left out")
    if refused:
        raise typer.Exit(1)
