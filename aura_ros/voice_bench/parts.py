"""The parts of `aura bench voice`, by name. Each returns figures by name."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aura_core.bench.load import busy_loops
from aura_core.bench.speech import addressed, delay, pauses, recognition, unasked
from aura_core.bench.speech.virtual import VirtualAudio, virtual_devices
from aura_core.errors import ConfigError
from aura_ros.voice_bench import runs
from aura_ros.voice_bench.subject import Asked

Figures = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """How much of each part is run, and beside what load.

    Attributes:
        n: answers, questions and interruptions over the devices.
        sentences: sentences that each voice says to the recogniser.
        idle_s: length of the idle run [s].
        minutes: length of each long sound [min]; three times that for the conversation.
        busy: busy loops beside each part.
        logs: folder of the nodes' logs.
    """

    asked: Asked
    n: int
    sentences: int
    idle_s: float
    minutes: float
    busy: int
    logs: Path


def over_devices(
    measure: Callable[[Plan, VirtualAudio], Figures], coupled: bool = True
) -> Callable[[Plan], Figures]:
    """A part that needs virtual devices. `coupled`: the microphone hears the loudspeaker."""

    def part(plan: Plan) -> Figures:
        plan.logs.mkdir(parents=True, exist_ok=True)
        with (
            tempfile.TemporaryDirectory(prefix="av") as folder,
            virtual_devices(Path(folder) / "a") as audio,
        ):
            if coupled:
                audio.couple()
            return measure(plan, audio)

    return part


PARTS: dict[str, Callable[[Plan], Figures]] = {
    "idle": over_devices(
        lambda p, audio: runs.idle(audio, p.logs, p.idle_s, p.asked.parameters), coupled=False
    ),
    "round_trip": over_devices(
        lambda p, audio: runs.conversations(audio, p.logs, p.n, "mute", p.asked)
    ),
    "round_trip_apm": over_devices(
        lambda p, audio: runs.conversations(audio, p.logs, p.n, "apm", p.asked)
    ),
    "interruptions": over_devices(lambda p, audio: runs.interruptions(audio, p.logs, p.n, p.asked)),
    "noises": lambda p: unasked.noises(p.asked.subject, p.minutes),
    "fillers": lambda p: unasked.fillers(p.asked.subject),
    "babble": lambda p: unasked.crowd(p.asked.subject, p.minutes),
    "conversation": lambda p: unasked.conversation(p.asked.subject, p.minutes),
    "wake": lambda p: addressed.wake(p.asked.subject),
    "over_babble": lambda p: addressed.over_babble(p.asked.subject),
    "latency": lambda p: delay.latency(p.asked.subject, max(p.n, 40)),
    "pauses": lambda p: pauses.pauses(p.asked.subject),
    "wer": lambda p: recognition.wer(p.asked.subject, p.sentences),
    "rejection": lambda p: recognition.rejection(p.asked.subject),
}


def chosen(names: Sequence[str]) -> list[str]:
    """The parts with these names, in the order of `PARTS`; all of them without names.

    Raises ConfigError.
    """
    if unknown := [name for name in names if name not in PARTS]:
        raise ConfigError(f"--only: '{unknown[0]}' is none of {', '.join(PARTS)}")
    return [name for name in PARTS if not names or name in names]


def run(name: str, plan: Plan) -> Figures:
    """The figures of one part, beside its load."""
    with busy_loops(plan.busy):  # anew for each part, because a loop ends after an hour
        return PARTS[name](plan)
