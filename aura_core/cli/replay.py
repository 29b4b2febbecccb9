"""`aura replay BAG`: replay the questions and images of a rosbag2 recording, without ROS."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from aura_core.cli import options


def replay(
    bag: Annotated[Path, typer.Argument(help="rosbag2 folder, .mcap or .db3 file.")],
    image_topic: Annotated[
        str | None, typer.Option(help="Image or CompressedImage topic; else found.")
    ] = None,
    text_topic: Annotated[
        str | None, typer.Option(help="String topic with questions; default: .../asr/text.")
    ] = None,
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
    expect: Annotated[
        Path | None,
        typer.Option(help="YAML file of what has to be said, and when; see docs/regression.md."),
    ] = None,
    bless: Annotated[
        bool, typer.Option("--bless", help="Write what was said to the file of --expect.")
    ] = False,
    junit: Annotated[
        Path | None, typer.Option(help="Write the results of --expect as JUnit XML.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write the results of --expect as an HTML page.")
    ] = None,
) -> None:
    """Replay BAG. The decisions are the same each time.

    They are also those of a live run that dropped nothing and in which no second was without a
    frame: in a recording, a picture stands until the next one.

    With --expect, the exit code is 1 unless everything was said as expected.
    """
    from aura_core.cli.expected import Expected
    from aura_core.cli.show import showing
    from aura_core.cli.stream import check_questions, open_lockstep, show_steps
    from aura_core.models import foreign
    from aura_core.replay.bag import Bag
    from aura_core.replay.lockstep import Asked, insert, paced, until

    judged = Expected(bag, expect, bless, junit, html, [Asked.parse(a) for a in ask])
    questions = judged.questions
    image_topic, text_topic = judged.topics(image_topic, text_topic)
    settings = options.assistant_config(config, model, device, dtype)
    settings = options.remembering(settings, memory)
    c = settings.sampling
    with (
        Bag(bag, image_topic, text_topic, c.fps, c.tolerance_s, c.hold_s) as opened,
        showing(out, quiet) as show,
        ExitStack() as running,
    ):
        show.note(f"bag:    {opened.description}")
        lockstep, remembers = running.enter_context(open_lockstep(settings, show))
        check_questions(lockstep.engine.conversation, questions)
        show.warn_of(foreign(settings.model, str(bag), settings.server))
        events = insert(until(opened.events(), seconds), questions)
        events = paced(events) if realtime else events
        refused = show_steps(lockstep, events, show, judged.witness, remembers)
        if opened.stuck:
            show.warn(
                f"the stamps of {opened.stuck} images of {bag} stood still; the times at which they"
                " were recorded were used instead"
            )
        if opened.skipped:
            show.warn(f"{opened.skipped} images of {bag} could not be decoded and were left out")
        failed = not judged.finish(show)
    if refused or failed:
        raise typer.Exit(1)
