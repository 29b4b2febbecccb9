"""Synthesisers that are programs: real ones where installed, and a fake one that fails."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from aura_core.errors import ConfigError
from aura_core.speech.tts import SynthesisError, TtsConfig, open_synthesizer
from aura_core.speech.tts.process import ProcessSynthesizer
from aura_core.speech.types import Audio

# Writes a WAV header as a stream does (its length unknown), and samples; some words make it
# misbehave.
PROGRAM = """
import struct, sys, time
text = sys.stdin.read()
out = sys.stdout.buffer
if "mute" in text: sys.exit(3)
if "noise" in text: out.write(b"this is not a WAV file"); sys.exit(0)
rate = 8000 if "slow" in text else 16000
out.write(b"RIFF" + struct.pack("<I", 0x7FFFF024) + b"WAVEfmt ")
out.write(struct.pack("<IHHIIHH", 16, 1, 1, rate, 2 * rate, 2, 16))
out.write(b"LIST" + struct.pack("<I", 3) + b"abc\\0" + b"data" + struct.pack("<I", 0x7FFFF000))
out.write(b"\\1\\2" * 3000); out.flush()
if "die" in text:
    print("first line\\nout of memory", file=sys.stderr); sys.exit(7)
if "hang" in text: time.sleep(60)
out.write(b"\\3\\4" * 1000)
"""


class Program(ProcessSynthesizer):
    """The fake program."""

    def __init__(self) -> None:
        super().__init__(16_000, "program")

    def command(self, sentence: str) -> tuple[list[str], bytes]:
        return [sys.executable, "-c", PROGRAM], sentence.encode()


def together(pieces: list[Audio]) -> np.ndarray:
    return np.concatenate([piece.samples for piece in pieces])


def test_a_stream_of_unknown_length_is_read_to_its_end() -> None:
    sound = together(list(Program().speak("hello")))
    assert sound.tolist() == [0x0201] * 3000 + [0x0403] * 1000


def test_a_program_that_dies_is_one_line_and_the_next_sentence_works() -> None:
    program = Program()
    pieces = []
    with pytest.raises(SynthesisError) as raised:
        pieces.extend(program.speak("die now"))
    assert str(raised.value) == "tts: program ended with status 7 in 'die now': out of memory"
    with pytest.raises(SynthesisError, match="status 3 in 'mute': it gave no reason"):
        list(program.speak("mute"))
    assert len(together(list(program.speak("hello")))) == 4000


def test_what_came_before_the_end_stands() -> None:
    pieces = []
    with pytest.raises(SynthesisError):
        for piece in Program().speak("die"):
            pieces.append(piece)
    assert len(together(pieces)) == 3000


@pytest.mark.parametrize(
    ("word", "reason"),
    [("noise", "the output of the program is not WAV"), ("slow", "8000 Hz, not 16000 Hz")],
)
def test_what_is_no_sound_is_refused(word: str, reason: str) -> None:
    with pytest.raises(SynthesisError, match=reason):
        list(Program().speak(word))


def test_closing_the_iterator_kills_the_program() -> None:
    program = Program()
    pieces = program.speak("hang")
    assert len(next(pieces).samples) > 0
    child = program._running
    assert child is not None and child.poll() is None
    pieces.close()  # type: ignore[attr-defined]
    assert child.poll() == -9 and program._running is None
    assert len(together(list(program.speak("hello")))) == 4000


def test_close_kills_it_from_another_thread_s_view() -> None:
    program = Program()
    pieces = program.speak("hang")
    next(pieces)
    child = program._running
    assert child is not None
    program.close()
    assert child.poll() == -9


def test_a_program_that_is_gone_is_one_line() -> None:
    class Gone(Program):
        def command(self, sentence: str) -> tuple[list[str], bytes]:
            return ["/nowhere/speak"], b""

    with pytest.raises(SynthesisError, match=r"program does not start: .*/nowhere/speak"):
        list(Gone().speak("hello"))


def test_a_full_folder_of_temporary_files_costs_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    program = Program()
    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "TemporaryFile", full)
        with pytest.raises(
            SynthesisError,
            match=r"^tts: program does not start: \[Errno 28\] No space left on device$",
        ):
            list(program.speak("hello"))
    assert len(together(list(program.speak("hello")))) == 4000


@pytest.mark.parametrize("backend", ["espeak", "flite"])
def test_a_missing_program_names_its_package(
    backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    package = {"espeak": "espeak-ng"}.get(backend, backend)
    with pytest.raises(ConfigError, match=f"apt install {package}"):
        open_synthesizer(TtsConfig(backend))
    with pytest.raises(ConfigError, match="apt install espeak-ng, or apt install flite"):
        open_synthesizer()


def test_auto_takes_the_first_that_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    flite = tmp_path / "flite"
    flite.write_text("#!/bin/sh\necho 'Voices available: kal slt'\n")
    flite.chmod(0o755)
    assert open_synthesizer().description == "flite, voice slt"
    espeak = tmp_path / "espeak-ng"
    espeak.write_text("#!/bin/sh\n")
    espeak.chmod(0o755)
    assert open_synthesizer().description == "espeak-ng, voice en"


@pytest.mark.parametrize(
    "options",
    [{"backend": "siri"}, {"rate": 100}, {"speed": 9.0}, {"device": "tpu"}, {"device": "cuda:x"}],
    ids=lambda o: next(iter(o)),
)
def test_bad_settings_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=f"tts.{next(iter(options))} must be"):
        TtsConfig(**options)  # type: ignore[arg-type]


def installed(backend: str) -> None:
    if shutil.which("espeak-ng" if backend == "espeak" else backend) is None:
        pytest.skip(f"{backend} is not installed")


@pytest.mark.parametrize(("backend", "rate"), [("espeak", 22_050), ("flite", 16_000)])
def test_a_real_program_speaks(backend: str, rate: int) -> None:
    installed(backend)
    voice = open_synthesizer(TtsConfig(backend))
    assert voice.rate == rate and backend in voice.description
    sound = together(list(voice.speak("- the red cup is on the table.")))
    assert 1.0 < len(sound) / rate < 4.0 and np.abs(sound).max() > 3000
    faster = together(
        list(open_synthesizer(TtsConfig(backend, speed=1.5)).speak("the red cup is on the table."))
    )
    assert 0.5 < len(faster) / len(sound) < 0.85
    assert together(list(voice.speak("- the red cup is on the table."))).tolist() == sound.tolist()
    voice.close()


@pytest.mark.parametrize("backend", ["espeak", "flite"])
def test_an_unknown_voice_is_one_line(backend: str) -> None:
    installed(backend)
    with pytest.raises(ConfigError, match=r"tts.voice 'nobody' is not a voice of") as raised:
        open_synthesizer(TtsConfig(backend, voice="nobody"))
    assert "\n" not in str(raised.value)


def test_a_voice_file_that_is_missing_is_refused() -> None:
    installed("flite")
    with pytest.raises(
        ConfigError, match=r"there is no file /nowhere/a\.flitevox; voices are never downloaded"
    ):
        open_synthesizer(TtsConfig("flite", voice="/nowhere/a.flitevox"))


def test_another_rate_is_resampled_and_cancelled_through() -> None:
    installed("espeak")
    own, wanted = (
        open_synthesizer(TtsConfig("espeak")),
        open_synthesizer(TtsConfig("espeak", rate=16_000)),
    )
    assert wanted.rate == 16_000 and wanted.description == "espeak-ng, voice en, at 16000 Hz"
    text = "The red cup is on the table."
    lengths = [len(together(list(v.speak(text)))) / v.rate for v in (own, wanted)]
    assert lengths[1] == pytest.approx(lengths[0], abs=0.001)
    pieces = wanted.speak(text * 20)
    next(pieces)
    child = wanted._voice._voice._running  # type: ignore[attr-defined]
    pieces.close()  # type: ignore[attr-defined]
    assert child.poll() is not None


def test_a_long_sentence_begins_before_it_ends() -> None:
    installed("espeak")
    pieces = open_synthesizer(TtsConfig("espeak")).speak("The red cup is on the table, " * 40)
    begin = time.monotonic()
    next(pieces)
    first = time.monotonic() - begin
    rest = list(pieces)
    assert len(rest) > 10 and first < 5
