"""Base of synthesisers that run a program for each sentence and read WAV from its output."""

from __future__ import annotations

import contextlib
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from typing import IO

import numpy as np

from aura_core.errors import ConfigError
from aura_core.speech.tts.base import SynthesisError
from aura_core.speech.types import Audio

_PIECE = 4096  # bytes: 93 ms at 22050 Hz
_TIMEOUT_S = 10.0


def find_program(name: str, package: str) -> str:
    """Return the program's path. Raises ConfigError that names the Debian package."""
    path = shutil.which(name)
    if path is None:
        raise ConfigError(f"tts: {name} is not installed: apt install {package}")
    return path


def output_of(command: list[str]) -> tuple[int, str]:
    """Run a program that ends at once. Returns its exit status and everything it printed.

    Raises ConfigError where it does not start, or does not end within 10 s.
    """
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_TIMEOUT_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"tts: {command[0]} does not run: {one_line(str(error))}") from None
    return done.returncode, done.stdout.decode(errors="replace")


class ProcessSynthesizer:
    """Runs `command(sentence)` for each sentence, in a process of its own.

    The program's licence and its crashes stay in that process, and cancelling is killing it.
    """

    def __init__(self, rate: int, description: str) -> None:
        self.rate = rate
        self.description = description
        self._running: subprocess.Popen[bytes] | None = None

    def command(self, sentence: str) -> tuple[list[str], bytes]:
        """Return the command line, and the bytes for its standard input."""
        raise NotImplementedError

    def speak(self, sentence: str) -> Iterator[Audio]:
        """See `Synthesizer.speak`."""
        command, text = self.command(sentence)
        with contextlib.ExitStack() as files:
            try:
                errors = files.enter_context(tempfile.TemporaryFile())
                given = files.enter_context(tempfile.TemporaryFile(buffering=0))
                given.write(text)
                given.seek(0)
                child = subprocess.Popen(
                    command, stdin=given, stdout=subprocess.PIPE, stderr=errors
                )
            except OSError as error:
                # the program is gone, or the folder of temporary files is full
                raise SynthesisError(
                    f"tts: {self.description} does not start: {one_line(str(error))}"
                ) from None
            self._running = child
            assert child.stdout is not None
            try:
                yield from self._pieces(child.stdout)
                if child.wait(_TIMEOUT_S) != 0:
                    how = f"{_status(child.returncode)} in {_short(sentence)!r}"
                    raise SynthesisError(
                        f"tts: {self.description} ended with {how}: {tail(errors)}"
                    )
            finally:
                self._running = None
                kill(child)

    def _pieces(self, stream: IO[bytes]) -> Iterator[Audio]:
        rate = read_wav_header(stream)
        if rate is None:
            return  # nothing was written: the exit status says why
        if rate != self.rate:
            raise SynthesisError(f"tts: {self.description} writes {rate} Hz, not {self.rate} Hz")
        rest = b""
        while data := stream.read1(_PIECE):  # type: ignore[attr-defined]
            data = rest + data
            even = len(data) & ~1
            data, rest = data[:even], data[even:]
            if data:
                yield Audio(np.frombuffer(data, dtype="<i2").astype(np.int16), rate)

    def close(self) -> None:
        """Kill the program if it runs."""
        if self._running is not None:
            kill(self._running)


def read_wav_header(stream: IO[bytes]) -> int | None:
    """Read a mono 16-bit WAV up to its samples, and return its rate in Hz.

    Returns None where the stream ends before the samples. Raises SynthesisError for another format.
    """
    if len(head := stream.read(12)) < 12:
        return None
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        raise SynthesisError("tts: the output of the program is not WAV")
    rate = None
    while len(head := stream.read(8)) == 8:
        name, size = struct.unpack("<4sI", head)
        if name == b"data":
            return rate
        body = stream.read(size + size % 2)
        if name == b"fmt ":
            kind, channels, rate, _, _, bits = struct.unpack("<HHIIHH", body[:16])
            if (kind, channels, bits) != (1, 1, 16):
                raise SynthesisError(
                    f"tts: the program writes {channels} channels of {bits} bits, not mono"
                    " 16-bit PCM"
                )
    return None


def kill(child: subprocess.Popen[bytes]) -> None:
    """Kill a child process and close its pipes."""
    child.kill()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
    child.wait()


def tail(errors: IO[bytes]) -> str:
    """Return the last line that a program wrote to its standard error."""
    errors.seek(0)
    lines = errors.read().decode(errors="replace").strip().splitlines()
    return one_line(lines[-1]) if lines else "it gave no reason"


def one_line(text: str) -> str:
    """Return `text` without line breaks, cut to 200 characters for a log."""
    return " ".join(text.split())[:200]


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."


def _status(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"status {code}"
