"""The node's heartbeat while no chunk is decided."""

from __future__ import annotations

import pytest

from aura_core.live.health import Health
from aura_core.live.pulse import Quiet, idle_state

HEALTH = Health("ready", 3.25, 10, 0, 0, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("phase", "quiet", "expected"),
    [
        ("loading", Quiet(None, 9.0), ("waiting", "loading model m")),
        ("ready", Quiet(None, 9.0), ("waiting", "no frame has come yet on /image_raw")),
        ("ready", Quiet(2.0, 0.5), ("no_frames", "no frame for 2.0 s on /image_raw")),
        ("ready", Quiet(0.1, 2.0), ("waiting", "the model has been busy for 3.2 s")),
        ("ready", Quiet(1.9, 1.1), ("", "")),
    ],
)
def test_idle_state(phase: str, quiet: Quiet, expected: tuple[str, str]) -> None:
    health = Health(phase, *list(vars(HEALTH).values())[1:])
    assert idle_state(health, quiet, 2.0, "m", "/image_raw") == expected


def test_a_node_that_waits_long_for_frames_still_sends_heartbeats() -> None:
    idle = Health("ready", 0.0, *list(vars(HEALTH).values())[2:])
    assert idle_state(idle, Quiet(60.0, 2.0), 3600.0, "m", "/image_raw") == (
        "waiting",
        "no second is complete yet",
    )
