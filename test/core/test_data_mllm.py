"""The stages with an MLLM behind a real HTTP server.

The replies are good, malformed or wrong, and the server times out or fails.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from chat_double import Fault, refusal
from data_rig import aura, clip, real_time, shards
from mllm_double import (
    HANG_UP,
    LIGHT,
    SECONDS,
    light_video,
    question,
    request,
    settings,
    stall,
    status,
    synthesize,
    talks,
)

from aura_core.data import STAGES, report
from aura_core.data.engine import run, write_sources
from aura_core.data.mllm_author import MLLMAuthor
from aura_core.data.outcome import ItemError
from aura_core.data.prepare import find_sources
from aura_core.data.schema import Clip
from aura_core.data.settings import AskingConfig, DataConfig, MLLMConfig
from aura_core.data.store import StageFolder, read_samples
from aura_core.data.worker import Job
from aura_core.errors import AuraError, ConfigError, InputError

pytest.importorskip("httpx")


# ---- good --------------------------------------------------------------------------------------


def test_all_stages_with_an_mllm(mllm, prepared, tmp_path):
    config = settings(mllm)
    for i, stage in enumerate(STAGES[1:]):
        run(Job(stage, prepared if i == 0 else tmp_path, tmp_path, config, "mllm", threads=3))
    first, second = talks(tmp_path)
    # cut where the light goes on
    assert [(s.first, s.stop) for s in first.scenes] == [(0, LIGHT), (LIGHT, SECONDS)]
    assert [(q.chunk, q.text, [a.chunk for a in q.answers]) for q in first.questions] == [
        (2, "tell me when the light goes on", [LIGHT]),
        (3, "how is the light?", [3]),
        (12, "how is the light?", [12]),
    ]
    assert second.questions[0].id != first.questions[0].id
    samples = list(read_samples(tmp_path))
    assert [s.target.chunk for s in samples] == [2, 3, LIGHT, 12] * 2
    assert {s.target.question for s in samples if s.target.chunk in (2, LIGHT)} == {
        "say when the lamp turns on"
    }
    for s in samples:
        if s.target.chunk in (3, 12):
            assert s.target.answer == ("it is bright" if s.target.chunk == 12 else "it is dark")
    stages = report.save(tmp_path)["stages"]
    asked = sum(s["cost"].get("requests", 0) for s in stages.values())
    assert asked == sum(mllm.kinds.values()) and mllm.kinds["grounded"] == len(samples)
    assert stages["verify"]["cost"]["prompt_tokens"] == 100 * len(samples)
    assert stages["verify"]["cost"]["completion_tokens"] == 10 * len(samples)


def test_a_check_sees_nothing_that_comes_later(mllm, prepared, tmp_path):
    synthesize(mllm, prepared, tmp_path)
    newest = [
        float(labels[-1].removeprefix("second "))
        for kind, labels in mllm.pictures
        if kind == "visible"
    ]
    assert newest == [3.5, LIGHT + 0.5, LIGHT - 0.5, 12.5] * 2
    whole = [labels[-1] for kind, labels in mllm.pictures if kind == "later"]
    # Every time until the clip ends must be listed. Two of the four scenes are equal, so their
    # request is sent once.
    assert whole == [f"second {SECONDS - 0.5:g}"] * 3


def test_what_was_paid_for_is_not_asked_again_and_gives_the_same_bytes(mllm, prepared, tmp_path):
    first = synthesize(mllm, prepared, tmp_path)
    asked, before = sum(mllm.kinds.values()), shards(tmp_path)
    for kind in ("done", "jsonl"):
        (tmp_path / "synthesize" / f"shard-00000.{kind}").unlink()
    # another reply now would change the result
    mllm.replies["now"] = lambda t, b: {"questions": []}
    second = synthesize(mllm, prepared, tmp_path)
    assert sum(mllm.kinds.values()) == asked and shards(tmp_path) == before
    # the cost of this run alone; see test_data_cost.py for the sum
    assert first.cost["requests"] == asked and second.cost["requests"] == 0
    assert second.cost["remembered"] == asked + first.cost["remembered"]


def test_the_same_request_from_two_threads_is_no_trouble(mllm, tmp_path):
    """Regression: both threads wrote the reply through the same temporary file."""
    for name in "abcdefgh":
        light_video(tmp_path / "in" / f"{name}.mp4")
    config = replace(settings(mllm), shard_size=8)
    write_sources(tmp_path, find_sources(tmp_path / "in"), config)
    run(Job("prepare", tmp_path, tmp_path, config))
    assert synthesize(mllm, tmp_path, tmp_path, threads=8).records == 8


# ---- lies ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claimed", "reason"),
    [
        (LIGHT - 3, "not visible at its time"),
        (LIGHT + 3, "visible before its time"),
        (SECONDS + 5, "time outside the clip"),
        (0, "contradicts itself"),  # long before it was asked
    ],
)
def test_a_lie_about_a_time_is_caught_and_counted(mllm, prepared, tmp_path, claimed, reason):
    mllm.replies["later"] = lambda t, b: {
        "requests": [request("proactive", 2, claimed)] if "\n0 and" in t else []
    }
    done = synthesize(mllm, prepared, tmp_path)
    assert done.reasons == {reason: 2}
    assert all(q.kind == "real-time" for c in talks(tmp_path) for q in c.questions)


@pytest.mark.parametrize("claimed", [LIGHT - 2, LIGHT - 1, LIGHT + 1, LIGHT + 2])
def test_a_time_that_is_a_little_off_is_put_right(mllm, prepared, tmp_path, claimed):
    mllm.replies["later"] = lambda t, b: {
        "requests": [request("proactive", 2, claimed)] if "\n0 and" in t else []
    }
    done = synthesize(mllm, prepared, tmp_path)
    assert done.reasons == {} and done.counts["times put right"] == 2
    assert [[a.chunk for a in c.questions[0].answers] for c in talks(tmp_path)] == [[LIGHT]] * 2
    (row,) = report.summarise(tmp_path)["stages"]["synthesize"]["survival"]
    assert (row["answers"], row["written"], row["kept"]) == (1, 2, 2)


def test_what_the_mllm_only_believes_never_to_come_true_is_found(mllm, prepared, tmp_path):
    told: list[str] = []

    def later(text: str, level: float) -> object:
        told.append(text)
        return {"requests": [request("multi-response", 2)] if "\n0 and" in text else []}

    mllm.replies["later"] = later
    config = settings(mllm)
    config = replace(config, synthesize=replace(config.synthesize, never=1.0))
    run(Job("synthesize", prepared, tmp_path, config, "mllm"))
    (done,) = StageFolder(tmp_path, "synthesize").all_done()
    assert all("at most 1 further requests" in t for t in told)
    assert done.reasons == {"silent where it happens": 2}
    assert done.counts["drafts that never come true"] == 2
    assert done.counts["verified that never come true"] == 0


def test_every_stretch_of_a_request_that_never_comes_true_is_looked_at(mllm, prepared, tmp_path):
    never = request("proactive", 1) | {"request": "tell me when a cat comes"}
    mllm.replies["later"] = lambda t, b: {"requests": [never] if "\n0 and" in t else []}
    mllm.replies["times"] = lambda t, b: {"times": []}
    mllm.replies["missed"] = lambda t, b: {"reason": "no cat", "missed": False}
    config = settings(mllm)
    short = replace(config.synthesize, never=1.0, frames=6, silences=0, real_time=0)
    run(Job("synthesize", prepared, tmp_path, replace(config, synthesize=short), "mllm"))
    assert [[(q.text, q.answers) for q in c.questions] for c in talks(tmp_path)] == [
        [("tell me when a cat comes", ())]
    ] * 2
    shown = [labels for kind, labels in mllm.pictures if kind == "missed"]
    first = [(s[0], s[-1]) for s in shown][:4]
    assert first == [
        *(("second 1", "second 5.5"), ("second 5", "second 9.5")),
        *(("second 9", "second 13.5"), ("second 13", "second 15.5")),
    ]
    (row,) = report.summarise(tmp_path)["stages"]["synthesize"]["survival"]
    assert (row["answers"], row["written"], row["kept"]) == (0, 2, 2)


def test_the_mllm_makes_the_scenes_unless_it_is_told_not_to(mllm, prepared, tmp_path):
    config = settings(mllm)
    asked = replace(config, synthesize=replace(config.synthesize, ask_scenes=True))
    assert DataConfig().synthesize.ask_scenes
    run(Job("synthesize", prepared, tmp_path, asked, "mllm"))
    assert mllm.kinds["scenes"] == 2
    assert [[(s.first, s.stop, s.summary) for s in c.scenes] for c in talks(tmp_path)] == [
        [(0, SECONDS, "a lamp")]
    ] * 2


def test_who_asks_is_told_to_the_mllm(mllm, prepared, tmp_path):
    told: list[str] = []

    def now(text: str, level: float) -> object:
        told.append(text)
        return {"questions": []}

    mllm.replies["now"] = now
    asking = AskingConfig(("a cook", "a guard"), ("German", "French"), 2, 3)
    config = replace(settings(mllm), asking=asking)
    run(Job("synthesize", prepared, tmp_path, config, "mllm"))
    assert {p for p in asking.personas for t in told if f"Who asks: {p}." in t} == {
        "a cook",
        "a guard",
    }
    assert any("language: German" in t or "language: French" in t for t in told)
    assert all("difficulty from 2 to 3" in t for t in told)
    other = replace(config, asking=AskingConfig(languages=("English",)))
    with pytest.raises(InputError, match=r"settings\.author\.asking\.languages"):
        run(Job("synthesize", prepared, tmp_path, other, "mllm"))


def test_a_difficulty_that_was_not_asked_for_is_repaired(mllm, prepared, tmp_path):
    asking = AskingConfig(("anyone",), least_level=2, most_level=3)
    config = replace(settings(mllm), asking=asking)
    mllm.replies["later"] = lambda t, b: {"requests": []}
    with pytest.raises(InputError, match="'level' must be one of 2, 3, not 1"):
        run(Job("synthesize", prepared, tmp_path, config, "mllm"))
    assert mllm.kinds["now"] == 2 * 3  # three different requests, each with one repair
    siblings = MLLMAuthor.open(config, prepared, None, None)
    (c, *_) = StageFolder(prepared, "prepare").read(0, Clip)
    mllm.replies["siblings"] = lambda t, b: {
        "questions": [{"level": n, "question": "how?"} for n in (2,) if "difficulties: 2." in t]
    }
    assert [s.level for s in siblings.siblings(c, replace(real_time(3), level=3), 4)] == [2]


def test_one_lie_among_several_times_refuses_the_request(mllm, prepared, tmp_path):
    mllm.replies["later"] = lambda t, b: {
        "requests": [request("multi-response", 2, LIGHT, 12)] if "\n0 and" in t else []
    }
    assert synthesize(mllm, prepared, tmp_path).reasons == {"visible before its time": 2}


def test_a_false_answer_is_refused(mllm, prepared, tmp_path):
    mllm.replies["now"] = lambda t, b: {
        "questions": [question(3) | {"answer": "it is bright"}] if "0 to" in t else []
    }
    assert synthesize(mllm, prepared, tmp_path).reasons == {"not visible at its time": 2}


def test_an_ungrounded_sample_is_dropped_with_the_judges_reason(mllm, prepared, tmp_path):
    config = settings(mllm)
    mllm.replies["grounded"] = lambda t, b: {
        "reason": "the lamp is hidden",
        "grounded": "at second 12:" not in t,
    }
    for i, stage in enumerate(STAGES[1:]):
        run(Job(stage, prepared if i == 0 else tmp_path, tmp_path, config, "mllm"))
    assert [s.target.chunk for s in read_samples(tmp_path)] == [2, 3, LIGHT] * 2
    dropped = list(StageFolder(tmp_path, "verify").rejected(0))
    assert [r.reason for r in dropped] == ["not grounded"] * 2 and "the lamp is hidden" in dropped[
        0
    ].detail


# ---- a server that fails -------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [status(500), status(429, Retry_After="0"), HANG_UP, stall(1.5)])
def test_a_passing_failure_is_tried_again(mllm, prepared, tmp_path, fault):
    mllm.failures["visible"] = [fault]
    done = synthesize(mllm, prepared, tmp_path, read_timeout_s=1.0)
    assert done.records == 2 and done.reasons == {} and done.cost["retries"] == 1
    assert done.cost["requests"] == sum(mllm.kinds.values())


def test_a_time_out_that_stays_costs_the_item_and_can_be_made_up_for(mllm, prepared, tmp_path):
    whole = tmp_path / "whole"
    synthesize(mllm, prepared, whole)
    mllm.failures["now"] = [stall(0.5)] * 3
    done = synthesize(mllm, prepared, tmp_path, read_timeout_s=0.2)
    assert (done.records, done.failures, done.reasons) == (1, 1, {"no reply from the MLLM": 1})
    (left_out,) = StageFolder(tmp_path, "synthesize").rejected(0)
    assert "nothing came for 0.2 s" in left_out.detail
    job = Job("synthesize", prepared, tmp_path, settings(mllm), "mllm")
    assert run(job).made == 0
    again = run(job, retry_failed=True)
    assert again.made == 1 and again.notes[0].endswith("1 items had failed: made again")
    assert (
        shards(tmp_path)["synthesize/shard-00000.jsonl"]
        == shards(whole)["synthesize/shard-00000.jsonl"]
    )


def test_a_server_that_is_down_ends_the_run_and_writes_nothing(mllm, prepared, tmp_path):
    mllm.failures["now"] = [status(503)] * 6
    with pytest.raises(
        InputError, match="all 2 items failed, the last with: no reply from the MLLM"
    ):
        synthesize(mllm, prepared, tmp_path)
    assert not (tmp_path / "synthesize" / "shard-00000.jsonl").exists()
    assert synthesize(mllm, prepared, tmp_path).records == 2


def test_a_request_that_the_server_refuses_costs_its_scene(mllm, prepared, tmp_path):
    mllm.failures["now"] = [status(400)]
    done = synthesize(mllm, prepared, tmp_path)
    assert (done.records, done.reasons) == (2, {"questions: refused by the MLLM's server": 1})
    assert [len(c.questions) for c in talks(tmp_path)] == [1, 3]


def test_a_servers_message_may_hold_what_no_file_can(mllm, prepared, tmp_path):
    """Regression: such a message made the rejection unwritable.

    The run then ended at the same place each time.
    """
    mllm.failures["now"] = [refusal("no \ud83d")]
    synthesize(mllm, prepared, tmp_path)
    (left_out,) = StageFolder(tmp_path, "synthesize").rejected(0)
    assert left_out.detail.endswith("the server answered 400: no")


@pytest.mark.parametrize("code", [401, 404])
def test_a_wrong_token_or_name_ends_the_run(mllm, prepared, tmp_path, code):
    mllm.failures["now"] = [status(code)] * 2
    with pytest.raises(InputError, match=f"the server answered {code}"):
        synthesize(mllm, prepared, tmp_path)


def test_the_token_comes_from_the_environment(mllm, prepared, tmp_path, monkeypatch):
    monkeypatch.setenv("MY_TOKEN", "abc")
    synthesize(mllm, prepared, tmp_path, api_key_env="MY_TOKEN")
    assert {r.authorization for r in mllm.requests} == {"Bearer abc"}
    monkeypatch.delenv("MY_TOKEN")
    with pytest.raises(ConfigError, match="MY_TOKEN, but this variable is not set"):
        synthesize(mllm, prepared, tmp_path / "other", api_key_env="MY_TOKEN")
    written = b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
    assert b"abc" not in written.replace(b"abcdef", b"")


def test_the_command_asks_the_mllm(mllm, tmp_path):
    light_video(tmp_path / "in" / "lamp.mp4")
    (tmp_path / "in" / "broken.mp4").write_bytes(b"")
    (tmp_path / "data.yaml").write_text("structure: {checkpoint: scripted}\n")
    result = aura(
        "all",
        "--in",
        tmp_path / "in",
        "--out",
        tmp_path / "run",
        "--mllm",
        mllm.url,
        "--mllm-model",
        "m",
        "--config",
        tmp_path / "data.yaml",
    )
    assert result.returncode == 0, result.stderr
    assert "empty file" in result.stdout and len(list(read_samples(tmp_path / "run"))) == 4


def test_other_prompts_on_the_same_folder_are_refused(mllm, prepared, tmp_path):
    folder = tmp_path / "prompts"
    folder.mkdir()
    (folder / "rephrase.md").write_text("$question in other words, please")
    out = tmp_path / "run"
    synthesize(mllm, prepared, out)
    with pytest.raises(InputError, match=r"made with settings\.author\.prompts"):
        run(Job("synthesize", prepared, out, settings(mllm), "mllm", prompts=folder))


def test_closing_ends_a_request_that_the_server_does_not_answer(mllm):
    release = threading.Event()
    mllm.faults.append(Fault("wait", release=release))
    config = settings(mllm)
    author = MLLMAuthor.open(config, Path(), None, None)
    question = real_time(3)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(author.rephrase, clip(5), question)
        assert mllm.arrived.acquire(timeout=10)
        author.close()
        with pytest.raises(ItemError, match="the request was cancelled"):
            asked.result()
    release.set()
    assert author.cost()["requests"] == 1


def test_an_mllm_without_an_address_is_refused(prepared, tmp_path):
    with pytest.raises(AuraError, match="an MLLM is needed"):
        run(
            Job(
                "synthesize",
                prepared,
                tmp_path,
                replace(DataConfig(), server=MLLMConfig()),
                "mllm",
            )
        )
