"""How long the assistant is away after SIGKILL, with two cameras and three open watches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from aura_ros.ros_bench.figures import Figure
from aura_ros.soak.run import Plan, run
from aura_ros.soak.verdict import recovery

EVERY_S = 20.0
GOAL = "<= 5 s"


def recoveries(model: str, repeats: int, folder: Path, tell: Callable[[str], None]) -> list[Figure]:
    """Seconds since SIGKILL, which is also when the assistant is started again.

    The run is that of `aura soak`, in which only the assistant is killed, every 20 s.
    """
    tell(f"SIGKILL of the assistant with {model}, {repeats} times")
    plan = Plan(
        EVERY_S * (repeats + 1),
        model,
        kill_every_s=EVERY_S,
        respawn_delay_s=0.0,
        victims=("assistant",),
    )
    record = run(plan, folder / f"crash-{Path(model).name}", lambda line: None)
    back = [recovery(record, kill) for kill in record.kills]
    part = f"SIGKILL, {model}"
    stages = {
        "first heartbeat": [r.first_beat_s for r in back],
        "a chunk of each camera decided": [r.decided_s for r in back],
        "watches restored": [r.watches_s for r in back],
    }
    never = float("inf")
    return [
        Figure(part, name, "s", tuple(never if v is None else v for v in values), GOAL)
        for name, values in stages.items()
    ]
