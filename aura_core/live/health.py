"""How one stream of a host is doing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Health:
    """A snapshot of one stream. Counters run from the start of the host."""

    phase: str  # new, loading, ready, failed, stopped
    busy_s: float  # how long the present step has been running; 0 between steps
    frames_received: int
    frames_dropped: int  # sampled, but never seen, because the model was too slow
    chunks_dropped: int  # the chunks of these frames
    chunks_missed: int  # chunks that closed during an answer: seen, but not decided
    chunks_lost: int  # seconds in which no usable frame came
    active_watches: int
    errors: int
    clock_restarts: int = 0  # the camera's clock jumped
    stuck_stamps: int = 0  # frames whose stamp stood still
    frames_undecodable: int = 0
    frame_quiet_s: float | None = None  # since the newest frame that could be used came
    black: bool = False  # the newest picture shows nothing
    frozen_s: float = 0.0  # how long the pictures have been the same to the bit
    trouble: str = ""  # of the model, although it decides; see `Backend.trouble`
    fallback: str = ""  # which fallback model runs, since when and why; "" while the model does
    model_changes: int = 0  # times that the fallback took over, or was handed back from
    memory: str = "off"  # off, on, paused or failed
    memory_trouble: str = ""  # why memory fails
    memory_paused_ns: int | None = None  # wall-clock time since which nothing is written


NOTHING = Health("new", 0.0, 0, 0, 0, 0, 0, 0, 0)  # of a host that does not exist
