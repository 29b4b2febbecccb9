"""What the assistant's heartbeat says while no chunk is decided. Knows no ROS."""

from __future__ import annotations

from dataclasses import dataclass

from aura_core.live.health import Health

# Without a decided chunk for this long the node sends a heartbeat itself: there is one a second.
SILENCE_S = 1.2


@dataclass(frozen=True)
class Quiet:
    """How long nothing has happened, in seconds of the machine's steady clock."""

    frame_s: float | None  # since the last usable frame; None before the first
    beat_s: float  # since the last heartbeat


def idle_state(
    health: Health, quiet: Quiet, stale_after_s: float, model: str, topic: str
) -> tuple[str, str]:
    """Heartbeat state and detail; ("", "") while decided chunks send the heartbeats."""
    if health.phase != "ready":
        return "waiting", f"{health.phase} model {model}"
    if quiet.frame_s is None:
        return "waiting", f"no frame has come yet on {topic}"
    if quiet.frame_s >= stale_after_s:
        return "no_frames", f"no frame for {quiet.frame_s:.1f} s on {topic}"
    if quiet.beat_s >= SILENCE_S:
        why = (
            f"the model has been busy for {health.busy_s:.1f} s"
            if health.busy_s
            else "no second is complete yet"
        )
        return "waiting", why
    return "", ""
