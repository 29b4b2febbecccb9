"""Piper in a process of its own.

Usage: `python -m aura_core.speech.tts.piper_worker VOICE.onnx [--cuda]`.

Piper is GPL and optional. Only this file imports it.

Standard input: one JSON object a line, {"text", "length_scale"}. Standard output: one JSON line,
{"rate"} or {"error"}. Then the pieces of each sentence follow. Each piece is a little-endian uint32
with its size in bytes, and as many bytes of mono int16. A size of 0 ends the sentence. A size of
0xFFFFFFFF ends it with a JSON line, {"error"}.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from pathlib import Path
from typing import IO

FAILED = 0xFFFFFFFF


def main(arguments: list[str]) -> int:
    """Load one voice, and speak until standard input ends."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints goes to standard error, not into the sound

    try:
        from piper import PiperVoice, SynthesisConfig

        folder = Path(arguments[0]).parent
        voice = PiperVoice.load(arguments[0], use_cuda="--cuda" in arguments, download_dir=folder)
        if voice.config.phoneme_type.value == "pinyin" and not (folder / "g2pW").is_dir():
            raise FileNotFoundError(
                f"there is no folder {folder / 'g2pW'}, and it is never downloaded"
            )
    except Exception as error:  # any: a broken ONNX file raises onnxruntime's own exceptions
        _line(out, {"error": _text(error)})
        return 1
    _line(out, {"rate": voice.config.sample_rate})
    for line in sys.stdin:
        request = json.loads(line)
        scale = voice.config.length_scale * request["length_scale"]
        try:
            for chunk in voice.synthesize(request["text"], SynthesisConfig(length_scale=scale)):
                data = chunk.audio_int16_bytes
                if data:
                    out.write(struct.pack("<I", len(data)) + data)
                    out.flush()
        except Exception as error:  # any: the next sentence may succeed
            out.write(struct.pack("<I", FAILED))
            _line(out, {"error": _text(error)})
            continue
        out.write(struct.pack("<I", 0))
        out.flush()
    return 0


def _line(out: IO[bytes], value: dict[str, object]) -> None:
    out.write(json.dumps(value).encode() + b"\n")
    out.flush()


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
