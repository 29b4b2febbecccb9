"""`aura console SOURCE`: the page that shows what the assistant sees, says and remembers."""

from __future__ import annotations

import signal
import sys
import threading
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aura_core.cli import options
from aura_core.console.settings import ConsoleConfig
from aura_core.lines import say

if TYPE_CHECKING:
    from aura_core.speech.asr import Grammar


def console(
    source: Annotated[
        list[str] | None,
        typer.Argument(
            help="Video file, bag, folder of images, camera:0, sim:SEED, phone, rtsp://... or"
            " http://...; several, each as NAME=SOURCE, are shown side by side."
        ),
    ] = None,
    replay: Annotated[
        Path | None,
        typer.Option(help="Instead: scrub through a recording, a bag, or the --out of a run."),
    ] = None,
    frames: Annotated[
        str | None, typer.Option(help="With --replay: the video that the run has watched.")
    ] = None,
    host: Annotated[str, options.option(ConsoleConfig, "host", "--host")] = ConsoleConfig.host,
    port: Annotated[int, options.option(ConsoleConfig, "port", "--port")] = ConsoleConfig.port,
    token: Annotated[str, options.option(ConsoleConfig, "token", "--token")] = ConsoleConfig.token,
    https: Annotated[bool, options.option(ConsoleConfig, "https", "--https")] = ConsoleConfig.https,
    certificate: Annotated[
        str, options.option(ConsoleConfig, "certificate", "--certificate")
    ] = ConsoleConfig.certificate,
    key: Annotated[str, options.option(ConsoleConfig, "key", "--key")] = ConsoleConfig.key,
    max_clients: Annotated[
        int, options.option(ConsoleConfig, "max_clients", "--max-clients")
    ] = ConsoleConfig.max_clients,
    recordings: Annotated[
        str, options.option(ConsoleConfig, "recordings", "--recordings")
    ] = ConsoleConfig.recordings,
    asr: Annotated[
        str,
        typer.Option(
            help="Speech recognition for the microphone of a page: pocketsphinx, which understands"
            " the questions of the simulated room; a .pt file of whisper; a folder of"
            " faster_whisper; off; auto: pocketsphinx where it is installed."
        ),
    ] = "auto",
    browser: Annotated[bool, typer.Option("--browser", help="Open the page in a browser.")] = False,
    loop: Annotated[bool, typer.Option("--loop", help="Begin a file again at its end.")] = False,
    out: options.Out = None,
    config: options.Config = None,
    model: options.Model = None,
    device: options.Device = None,
    dtype: options.Dtype = None,
    seconds: options.Seconds = None,
    memory: options.Memory = None,
) -> None:
    """Watch SOURCE, and show it on a page in the browser: ask, watch, and search the memory there.

    Files are played in real time. It runs until Ctrl-C.
    """
    from aura_core.cli.show import showing
    from aura_core.console.feed import PHONE, Source
    from aura_core.console.hearing import recognition
    from aura_core.console.local import LocalRobot
    from aura_core.console.recording import recordings_folder
    from aura_core.console.robot import Robot
    from aura_core.console.security import is_loopback
    from aura_core.console.server import Server
    from aura_core.live.events import Stepped
    from aura_core.models import foreign

    given = {
        "--config": config,
        "--model": model,
        "--device": device,
        "--dtype": dtype,
        "--memory": memory,
        "--seconds": seconds,
        "--out": out,
        "--loop": loop or None,
        "--asr": None if asr == "auto" else asr,
        "--recordings": None if recordings == ConsoleConfig.recordings else recordings,
    }
    if (replay is None) == (not source):
        options.misused("name a SOURCE, or a recording with --replay, and not both")
    if replay is not None:
        options.refuse(given, "only with a SOURCE; --replay shows a recording as it was")
    elif frames is not None:
        options.misused("--frames: only with --replay, for the lines of a run")
    if not https:
        options.refuse({"--certificate": certificate, "--key": key}, "only with --https")
    elif key and not certificate:
        options.misused("--key: only with --certificate")
    sources = Source.parse_all(source or ())
    if loop and all(one.is_live for one in sources):
        options.misused("--loop: a camera has no end at which it could begin again")
    if seconds is not None and all(one.spec == PHONE for one in sources):
        options.misused("--seconds: a phone sends pictures until its page ends")
    settings = ConsoleConfig(host, port, token, https, certificate, key, max_clients, recordings)
    with showing(out, quiet=True) as show:
        robot: Robot
        if replay is not None:
            from aura_core.console.replaying import open_replay

            robot = open_replay(replay, frames)
        else:
            engine = options.assistant_config(config, model, device, dtype)
            engine = options.remembering(engine, memory)
            for one in sources:
                show.warn_of(foreign(engine.model, one.title, engine.server))
            folder = recordings_folder(recordings)
            ears = recognition(asr, _phrases)
            robot = LocalRobot(
                sources, engine, seconds, loop, folder, complain=show.warn, open_ears=ears
            )
            robot.host.listen(lambda e: show.step(e.step) if isinstance(e, Stepped) else None)
        server = Server(robot, settings)
        server.start()
        try:
            stopped = _on_stop()  # before anybody knows that it runs
            say(f"console: {server.url}")
            if https:
                from aura_core.console.tls import certificate_of, fingerprint

                say(f"certificate: SHA-256 {fingerprint(certificate_of(settings))}")
            if server.gate.token and not is_loopback(host) and not https:
                show.warn("the token and the pictures are not encrypted; --https encrypts them")
            if browser:
                webbrowser.open(server.url)
            while not stopped.wait(1.0):  # without end it would hold signals back on some systems
                pass
            say("stopped", sys.stderr)
        finally:
            server.stop()


def _phrases() -> Grammar:
    """What pocketsphinx understands: what the embedded model was trained to be asked."""
    from aura_core.sim import spoken
    from aura_core.speech.asr import parse

    return parse(spoken.grammar(), "grammar: room")


def _on_stop() -> threading.Event:
    """What Ctrl-C and SIGTERM set from now on."""
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    return stopped
