"""The cost of an MLLM: each reply counts once, whatever became of the run that asked for it."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from mllm_double import (
    HANG_UP,
    light_video,
    settings,
    status,
    synthesize,
)
from rich.console import Console

from aura_core.data import report
from aura_core.data.engine import run, write_sources
from aura_core.data.prepare import find_sources
from aura_core.data.store import StageFolder
from aura_core.data.worker import Job

pytest.importorskip("httpx")


def told(out: Path) -> dict:
    return report.summarise(out)["stages"]["synthesize"]


def forget(out: Path) -> None:
    """Delete the shard but keep the replies, as after a kill."""
    for kind in ("done", "jsonl", "rejected"):
        (out / "synthesize" / f"shard-00000.{kind}").unlink()


def test_what_a_killed_run_paid_is_in_the_report(mllm, prepared, tmp_path):
    """Regression: the next run sent no requests, and the report said 0 requests."""
    synthesize(mllm, prepared, tmp_path)
    asked, once = sum(mllm.kinds.values()), told(tmp_path)
    prices = {
        "requests": asked,
        "retries": 0,
        "prompt_tokens": 100 * asked,
        "completion_tokens": 10 * asked,
    }
    assert (
        prices.items() <= once["cost"].items()
        and prices.items() <= once["cost_of_last_run"].items()
    )
    forget(tmp_path)
    # there is no shard, but the requests were paid
    assert told(tmp_path)["cost"].items() >= prices.items()
    (tmp_path / "synthesize" / "runs.json").unlink()  # a killed run leaves none
    second = synthesize(mllm, prepared, tmp_path)
    assert (
        sum(mllm.kinds.values()) == asked
        and second.cost["requests"] == 0 < second.cost["remembered"]
    )
    again = told(tmp_path)
    assert prices.items() <= again["cost"].items() and set(again["cost_of_last_run"].values()) == {
        0
    }


def test_requests_that_bring_nothing_are_counted_too_and_stay_counted(mllm, prepared, tmp_path):
    # two clips: given up, refused
    mllm.failures["now"] = [status(500), HANG_UP, HANG_UP, HANG_UP, status(400)]
    done = synthesize(mllm, prepared, tmp_path)
    asked = sum(mllm.kinds.values())
    assert done.cost["requests"] == told(tmp_path)["cost"]["requests"] == asked
    assert (done.failures, done.cost["gave_up"], told(tmp_path)["cost"]["retries"]) == (1, 1, 3)
    assert (
        run(Job("synthesize", prepared, tmp_path, settings(mllm), "mllm"), retry_failed=True).made
        == 1
    )
    more = sum(mllm.kinds.values()) - asked
    assert more > 0 and told(tmp_path)["cost_of_last_run"]["requests"] == more
    assert told(tmp_path)["cost"]["requests"] == asked + more


def test_two_threads_with_the_same_request_pay_once(mllm, tmp_path):
    for name in "abcd":
        light_video(tmp_path / "in" / f"{name}.mp4")
    config = settings(mllm)
    write_sources(tmp_path, find_sources(tmp_path / "in"), config)
    run(Job("prepare", tmp_path, tmp_path, config))
    done = synthesize(mllm, tmp_path, tmp_path, threads=4)
    paid = len(list((tmp_path / "synthesize" / "replies").glob("*/*.json")))
    assert (
        sum(mllm.kinds.values())
        == done.cost["requests"]
        == told(tmp_path)["cost"]["requests"]
        == paid
    )
    assert done.cost["remembered"] == 3 * paid


def test_a_reply_that_cannot_be_read_is_named_in_the_report(mllm, prepared, tmp_path):
    synthesize(mllm, prepared, tmp_path)
    first, second, third = sorted((tmp_path / "synthesize" / "replies").glob("*/*.json"))[:3]
    first.write_text('{"text": ')
    second.write_text(json.dumps({"text": "{}"}))
    third.rename(third.with_name("x.part-1-2.json"))
    found = told(tmp_path)
    assert found["shards"]["faults"] == [f"{first}: a damaged reply; delete this file"]
    asked = sum(mllm.kinds.values())
    assert (found["cost"]["requests"], found["cost"]["replies_without_usage"]) == (asked - 3, 1)


def test_the_table_shows_what_was_paid_in_all_and_by_the_last_run(mllm, prepared, tmp_path):
    synthesize(mllm, prepared, tmp_path)
    forget(tmp_path)
    synthesize(mllm, prepared, tmp_path)
    console = Console(file=StringIO(), width=200)
    console.print(report.tables(report.summarise(tmp_path))[0])
    head, _, row = (
        line.split("┃" if "┃" in line else "│")
        for line in console.file.getvalue().splitlines()[1:4]
    )
    cells = dict(zip((h.strip() for h in head), (c.strip() for c in row), strict=True))
    asked = sum(mllm.kinds.values())
    assert cells["requests in all"] == str(asked) and cells["requests of the last run"] == "0"
    assert cells["tokens in all"] == f"{100 * asked} + {10 * asked}"
    assert StageFolder(tmp_path, "synthesize").all_done()[0].cost["requests"] == 0
