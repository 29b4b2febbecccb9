"""All parts of `aura bench voice`, one after another."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aura_core.bench.speech.virtual import virtual_devices
from aura_core.bench.speech.wer import load_jiwer
from aura_ros.voice_bench import recognition, runs


def measure(
    n: int, sentences: int, idle_s: float, logs: Path, tell: Callable[[str], None]
) -> dict[str, Any]:
    """All figures; `tell` gets a line before each part."""
    load_jiwer()
    logs.mkdir(parents=True, exist_ok=True)
    out: dict[str, Any] = {}
    with (
        tempfile.TemporaryDirectory(prefix="av") as folder,
        virtual_devices(Path(folder) / "a") as audio,
    ):
        tell(f"idle CPU, {idle_s:g} s")
        out |= runs.idle(audio, logs, idle_s)
        audio.couple()
        tell(f"{n} conversations")
        out |= runs.conversations(audio, logs, n, "mute")
        tell(f"{n} interruptions")
        out |= runs.interruptions(audio, logs, n)
    tell(f"{sentences} sentences by each voice, at 20 and 30 dB")
    out |= recognition.word_errors_at(sentences)
    tell("sentences that are no question for the assistant")
    out |= recognition.rejections()
    return out
