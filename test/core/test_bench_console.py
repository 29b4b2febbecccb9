"""The console's benchmark: its pages get what the scene tells."""

from __future__ import annotations

from aura_core.bench import console as bench


def test_the_pages_of_the_benchmark_get_frames_and_events() -> None:
    with bench.serving(bench.Scene()) as server:
        seen = bench.pages(server, 2, 5.0)
    assert seen["frames_ms"] and seen["events_ms"]
    assert min(seen["events_ms"]) >= 0.0
    assert min(seen["frame_bytes"]) > 10_000  # frames of 640x480 with noise


def test_the_quantiles_of_a_part() -> None:
    found = bench._quantiles("x_ms", [1.0, 2.0, 3.0])
    assert found == {"x_ms_p50": 2.0, "x_ms_p95": 2.9, "x_ms_max": 3.0, "x_ms_n": 3}


def test_the_ratio_of_steps_is_of_all_turns_together() -> None:
    turns = [([10.0] * 9, [11.0] * 20), ([20.0] * 11, [11.0, 11.0])]
    assert bench.p95_ratio(turns) == 11.0 / 20.0
