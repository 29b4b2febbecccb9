"""Synthesiser: Piper, with neural voices from a file that the user brings.

It runs in a process of its own because it is GPL: see `piper_worker`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from aura_core.errors import ConfigError
from aura_core.extras import how_to_install
from aura_core.speech.tts.base import SynthesisError, TtsConfig
from aura_core.speech.tts.piper_worker import FAILED
from aura_core.speech.tts.process import kill, one_line, tail
from aura_core.speech.types import Audio


class Piper:
    """`voice` is the path of a voice's .onnx file, with its .onnx.json beside it."""

    def __init__(self, config: TtsConfig) -> None:
        if importlib.util.find_spec("piper") is None:
            raise ConfigError(f"tts: piper is not installed: {how_to_install('piper')}")
        if not config.voice:
            raise ConfigError(
                "tts.voice must be the path of a piper voice (.onnx); voices are never downloaded"
            )
        path = Path(config.voice)
        for needed in (path, Path(f"{path}.json")):
            if not needed.is_file():
                raise ConfigError(
                    f"tts.voice: there is no file {needed}; voices are never downloaded"
                )
        kind, _, index = config.device.partition(":")
        self._command = [
            sys.executable,
            "-m",
            "aura_core.speech.tts.piper_worker",
            str(path.resolve()),
        ]
        self._command += ["--cuda"] * (kind == "cuda")
        self._environment = dict(os.environ, **({"CUDA_VISIBLE_DEVICES": index} if index else {}))
        package_root = str(Path(__file__).resolve().parents[3])
        self._environment["PYTHONPATH"] = os.pathsep.join(
            p for p in (package_root, os.environ.get("PYTHONPATH", "")) if p
        )
        self._length_scale = 1 / config.speed
        self._child: subprocess.Popen[bytes] | None = None
        self._loaded = False
        try:
            self._start()
            self.rate = self._load()
        except SynthesisError as error:
            self.close()
            raise ConfigError(f"tts.voice {path} cannot be loaded: {error}") from None
        self.description = f"piper, voice {path.name}"

    def speak(self, sentence: str) -> Iterator[Audio]:
        """See `Synthesizer.speak`. Cancelling kills the process and starts the next one at once.

        The next process then loads the voice while nothing is spoken.
        """
        done = False
        try:
            if self._child is None:
                self._start()
            if not self._loaded:
                self._load()
            yield from self._sentence(sentence)
            done = True
        except _Refused:
            done = True
            raise
        finally:
            if not done:
                self.close()
                # the next sentence tries again, and reports the failure
                with contextlib.suppress(SynthesisError):
                    self._start()

    def close(self) -> None:
        """End the process."""
        if self._child is not None:
            kill(self._child)
            self._errors.close()
        self._child, self._loaded = None, False

    def _start(self) -> None:
        try:
            self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
            self._child = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env=self._environment,
            )
        except OSError as error:  # no memory, or the folder of temporary files is full
            raise SynthesisError(f"piper does not start: {one_line(str(error))}") from None
        self._loaded = False

    def _load(self) -> int:
        """Wait until the voice is loaded, and return its rate in Hz."""
        assert self._child is not None and self._child.stdout is not None
        line = self._child.stdout.readline()
        head = json.loads(line) if line.endswith(b"\n") else {"error": tail(self._errors)}
        if "error" in head:
            raise SynthesisError(f"piper did not start: {head['error']}")
        self._loaded = True
        return int(head["rate"])

    def _sentence(self, sentence: str) -> Iterator[Audio]:
        assert (
            self._child is not None
            and self._child.stdin is not None
            and self._child.stdout is not None
        )
        request = {"text": sentence, "length_scale": self._length_scale}
        try:
            self._child.stdin.write(json.dumps(request).encode() + b"\n")
            self._child.stdin.flush()
        except OSError:
            raise SynthesisError(
                f"tts: {self.description} has ended: {tail(self._errors)}"
            ) from None
        while True:
            size = struct.unpack("<I", self._read(4))[0]
            if size == FAILED:
                reason = json.loads(self._child.stdout.readline())["error"]
                raise _Refused(
                    f"tts: {self.description} cannot say {one_line(sentence)[:40]!r}: {reason}"
                )
            if size == 0:
                return
            yield Audio(np.frombuffer(self._read(size), dtype="<i2").astype(np.int16), self.rate)

    def _read(self, size: int) -> bytes:
        assert self._child is not None and self._child.stdout is not None
        data = self._child.stdout.read(size)
        if len(data) < size:
            raise SynthesisError(
                f"tts: {self.description} ended in the middle of a sentence: {tail(self._errors)}"
            )
        return data


class _Refused(SynthesisError):
    """The worker could not synthesise this sentence, but it still runs."""
