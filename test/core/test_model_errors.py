"""Whatever a model raises, in whichever phase of a step, costs its chunk and never the run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from engine_rig import HALF, cached_by, frame, free, recomputed_by
from host_rig import WAIT_S, Make, made_runs

from aura_core.config import WindowConfig
from aura_core.errors import AuraError, ModelError, StreamError
from aura_core.live.events import Problem, Stepped
from aura_core.models.backend import Video
from aura_core.models.scripted import ScriptedBackend, ScriptedSession
from aura_core.replay.lockstep import Lockstep, drive
from aura_core.stream.engine import StreamEngine
from aura_core.types import Chunk, Query

ERRORS = [
    ModelError("server gone"),
    StreamError("out of step"),
    RuntimeError("CUDA error"),
    KeyError("pixel_values"),
    MemoryError(),
    OSError("broken pipe"),
    TypeError("unexpected keyword"),
]
PHASES = ["encode", "prefill", "decode", "rollback", "warm"]
CHUNKS = 12
WINDOW = WindowConfig(keep=2, max=4)
SCRIPT = {3: "I will.", 5: "Yes.", 9: "It is there."}
WATCH, QUESTION = "Tell me every time it falls.", "Is it safe?"


class _Session(ScriptedSession):
    owner: Breaking

    def prefill(self, pieces: Any, wanted: Any = None) -> Any:
        one = len(pieces) == 1 and len(pieces[0]) == 1
        self.owner.meet("decode" if one else "prefill")
        self._forwarding = True
        try:
            return super().prefill(pieces, wanted)
        finally:
            self._forwarding = False

    _forwarding = False

    def warm(self, pieces: Any) -> None:
        if not self._forwarding:
            self.owner.meet("warm")
        super().warm(pieces)

    def rollback(self, length: int) -> None:
        self.owner.meet("rollback")
        super().rollback(length)


class Breaking(ScriptedBackend):
    """Raises `error` when `phase` comes up for the first time in or after chunk `at`."""

    def __init__(self, phase: str, error: Exception, at: int = 5) -> None:
        super().__init__(SCRIPT)
        self.phase, self.error, self.at = phase, error, at
        self.newest, self.raised = -1, 0

    def meet(self, phase: str) -> None:
        if phase == self.phase and self.newest >= self.at and not self.raised:
            self.raised += 1
            raise self.error

    def encode(self, chunk: Chunk) -> Video:
        self.newest = chunk.index
        self.meet("encode")
        return super().encode(chunk)

    def open(self) -> Any:
        session = _Session(self._say)
        session.owner = self
        self.sessions.append(session)
        return session


@pytest.fixture
def runs() -> Iterator[Make]:
    with made_runs() as make:
        yield make


def combinations(test: Any) -> Any:
    each = pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)
    return pytest.mark.parametrize("phase", PHASES)(each(test))


def went_on(steps: list[Any], backend: Breaking, lost: int) -> None:
    """All chunks but the lost one were decided, and words came after the error."""
    assert backend.raised == 1, "the phase came up"
    chunks = {s.chunk for s in steps}
    assert len(chunks) >= CHUNKS - 1 and lost <= 1
    assert CHUNKS - 1 in chunks
    assert [s.response.text for s in steps if s.chunk == 9 and s.response] == ["It is there."]
    answered = [s for s in steps if s.question == QUESTION]
    assert answered, "the question is asked again, and answered"


@combinations
def test_in_lockstep_and_replay(phase: str, error: Exception) -> None:
    backend = Breaking(phase, error)
    lockstep = Lockstep(StreamEngine(backend, free(window=WINDOW)))
    lost: list[Any] = []
    events: list[Any] = [frame(slot) for slot in range(2 * CHUNKS)]
    events.insert(6, Query(WATCH, "w", stamp_ns=6 * HALF - 1))
    events.insert(12, Query(QUESTION, "q", stamp_ns=11 * HALF + 1))
    steps = []
    for step in drive(lockstep, events, on_lost=lost.append):
        steps.append(step)
        assert cached_by(lockstep.engine) == recomputed_by(lockstep.engine)
    went_on(steps, backend, len(lost))
    for one in lost:
        assert "\n" not in one.message and one.message


@combinations
def test_in_the_host(phase: str, error: Exception, runs: Make) -> None:
    backend = Breaking(phase, error)
    run = runs(backend, config=free(window=WINDOW), backlog=CHUNKS).start()
    backend.newest = -1  # the warm-up step
    for index in range(CHUNKS):
        if index == 3:
            run.inbox.ask(Query(WATCH, "w"))
        if index == 6:
            run.inbox.ask(Query(QUESTION, "q"))
        run.second(index)
        assert run.host.drain(WAIT_S)
    assert run.host.health().phase == "ready"
    events = []
    while not run.events.empty():
        events.append(run.events.get())
    problems = [e for e in events if isinstance(e, Problem)]
    went_on([e.step for e in events if isinstance(e, Stepped)], backend, len(problems))
    assert all("\n" not in p.message for p in problems)


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)
def test_while_words_that_were_heard_are_put_into_the_conversation(
    error: Exception, runs: Make
) -> None:
    """Regression: `amend` uses the model between two steps, and its error ended the host."""
    backend = Breaking("rollback", error, at=0)
    backend.raised = 1  # not in the warm-up
    run = runs(backend, config=free(window=WINDOW)).start()
    for index in range(10):
        run.second(index)
        assert run.host.drain(WAIT_S)
    spoken = [s for s in run.steps(10) if s.response][-1]
    backend.raised = 0
    run.host.heard(spoken.response.id, "It")
    assert "what was said aloud could not be remembered" in run.next(Problem).message
    run.second(10)
    assert run.steps(1)[0].chunk == 10 and run.host.health().phase == "ready"


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)
def test_an_error_before_the_first_step_is_raised_as_a_model_error(error: Exception) -> None:
    """Then something is set up wrongly, and all further chunks would be lost too."""
    backend = Breaking("encode", error, at=0)
    with pytest.raises((ModelError, StreamError)):
        list(drive(Lockstep(StreamEngine(backend)), [frame(0), frame(1)], on_lost=lambda _: None))


@combinations
def test_in_aura_run(
    phase: str,
    error: Exception,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import aura_core.models
    from aura_core.cli import main

    backend = Breaking(phase, error)
    monkeypatch.setattr(aura_core.models, "load", lambda *_: backend)
    settings = tmp_path / "c.yaml"
    settings.write_text("window: {keep: 2, max: 4}\ndecider: {must_answer: false}\n")
    out = tmp_path / "out.jsonl"
    args = ["run", "sim:7", "--seconds", str(CHUNKS), "--config", str(settings), "--out", str(out)]
    args += ["--ask", f"3.9:{WATCH}", "--ask", f"6.1:{QUESTION}"]
    with pytest.raises(SystemExit) as e:
        main(args)
    captured = capsys.readouterr()
    lines = out.read_text().splitlines()
    assert backend.raised == 1 and len({line.split(",")[0] for line in lines}) >= CHUNKS - 1
    assert "Traceback" not in captured.err + captured.out
    if phase != "warm" or not isinstance(error, AuraError):  # that is done again when it is needed
        assert e.value.code == 1 and ("is lost" in captured.err or "failed" in captured.err)


@combinations
def test_in_the_runner_of_benchmarks(
    phase: str, error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It costs its item."""
    pytest.importorskip("av")
    from eval_rig import item, video

    from aura_core.evaluation import predictions, runner
    from aura_core.evaluation.records import Question

    data = tmp_path
    video(data / "v.mp4", list(range(0, 240, 20)))
    questions = (Question("0", 6.0, QUESTION), Question("1", 9.0, "And now?"))
    items = [replace(item(*questions), id=name) for name in ("a", "b", "c")]
    backend = Breaking(phase, error, at=99)
    done: list[str] = []

    def progress(prediction: Any) -> None:
        done.append("x")
        backend.at = 5 if len(done) == 1 else 99

    config = free(window=WINDOW)
    header = predictions.Header.of("t", config, False)
    with predictions.Writer(tmp_path / "p.jsonl", header) as writer:
        counts = runner.run(items, data, backend, config, writer, False, progress)
    assert backend.raised == 1
    named = len(counts.missing)
    assert named == (0 if phase == "warm" and isinstance(error, AuraError) else 1)
    assert counts.played == 3 - named
