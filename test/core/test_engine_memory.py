"""What memory tells stands before the question, and in the prefix of the next window."""

from __future__ import annotations

from dataclasses import replace

from engine_rig import cached, chunk, frame, free, made, recomputed
from memory_double import MemoryDouble

from aura_core.config import GateConfig, WindowConfig
from aura_core.models.backend import Video
from aura_core.models.scripted import Moment, ScriptedBackend
from aura_core.replay.lockstep import Lockstep
from aura_core.stream.engine import StreamEngine
from aura_core.stream.notes import Remembered
from aura_core.types import Evidence, Query

TOLD = Remembered(
    "From memory, 1 match:\n- 2 hours ago (09:14): the cup was on the shelf\n",
    "Where is the cup?",
    (Evidence("run-n1", 5, 9, 11),),
)


class Asked:
    """A script that answers with the question as it gets it."""

    def __call__(self, moment: Moment) -> str | None:
        return f"heard {moment.question}" if moment.question else None


def assistant(memory: MemoryDouble, **sections: object) -> Lockstep:
    config = free(gate=GateConfig(), **sections)
    return Lockstep(StreamEngine(ScriptedBackend(Asked()), config, memory=memory))


def test_what_is_recalled_stands_before_the_question_and_is_the_evidence() -> None:
    memory = MemoryDouble(told=TOLD)
    runs = assistant(memory)
    chunk(runs, 0)
    runs.ask("Where is the cup?")
    step = chunk(runs, 1)
    assert memory.asked == [("Where is the cup?", 1_500_000_000)]
    assert step.response is not None
    assert step.response.text == f"heard {TOLD.text}Where is the cup?"
    assert step.response.evidence == TOLD.evidence
    assert step.as_json()["evidence"] == ["run-n1"]
    assert step.question == "Where is the cup?"  # as it was asked
    assert cached(runs) == recomputed(runs)


def test_without_a_question_memory_is_not_asked() -> None:
    memory = MemoryDouble(told=TOLD)
    runs = assistant(memory)
    for i in range(3):
        step = chunk(runs, i)
    assert memory.asked == [] and "evidence" not in step.as_json()


def test_recalled_lines_leave_with_the_video_and_the_words_stay() -> None:
    memory = MemoryDouble(told=TOLD)
    runs = assistant(memory, window=WindowConfig(keep=2, max=4))
    runs.ask("Where is the cup?")
    for i in range(6):
        chunk(runs, i)
    (group,) = runs.engine.window.prefix.groups
    assert group.question == "Where is the cup?"
    assert runs.engine.window.prefix.memory == ""


def test_the_notes_before_the_video_change_at_a_switch_alone() -> None:
    memory = MemoryDouble(before="Your memory:\n- the door was open")
    runs = assistant(memory, window=WindowConfig(keep=2, max=4, policy="shadow"))
    prefixes = []
    for i in range(8):
        step = chunk(runs, i)
        prefixes.append((runs.engine.window.prefix.memory, step.switched))
        memory.text = f"notes after chunk {i}"
        assert cached(runs) == recomputed(runs)
    changed = [i for i in range(1, 8) if prefixes[i][0] != prefixes[i - 1][0]]
    assert changed and changed == [i for i, (_, switched) in enumerate(prefixes) if switched]
    # the plan of the next window fixed them, long before the switch
    assert prefixes[4][0] == "notes after chunk 0"


def test_pictures_of_memory_are_silent_turns_before_the_question() -> None:
    shown = ((frame(100, 200), "2 hours ago"), (frame(102, 90), "1 hour ago"))
    memory = MemoryDouble(told=replace(TOLD, pictures=shown))
    runs = assistant(memory, window=WindowConfig(keep=2, max=4))
    chunk(runs, 0)
    runs.ask("Where is the cup?")
    step = chunk(runs, 1)
    assert step.response is not None and step.response.text.endswith("Where is the cup?")
    assert cached(runs) == recomputed(runs)
    codec, turn = runs.engine.codec, runs.engine.window.turns[-1]
    pieces = turn.user(codec)
    levels = [p.features.brightness for p in pieces if isinstance(p, Video)]
    assert levels == [200, 90, 0]
    assert codec.assistant(None) in pieces
    for i in range(2, 7):  # they leave with the video of their question
        chunk(runs, i)
        assert cached(runs) == recomputed(runs)
    assert len(runs.engine.window.prefix.groups) == 1


def test_memory_decides_about_a_watch() -> None:
    memory = MemoryDouble()
    runs = assistant(memory)
    runs.ask(Query("Tell me when the cup moves."))
    chunk(runs, 0)
    assert [text for text, _ in memory.asked] == ["Tell me when the cup moves."]


def test_a_gap_is_told() -> None:
    memory = MemoryDouble(block=100)
    runs = assistant(memory)
    for i in (0, 1, 9, 10):
        chunk(runs, i)
    assert memory.gaps == [(2_000_000_000, 9_000_000_000)]


def test_notes_that_were_deleted_leave_the_text_before_the_video() -> None:
    memory = MemoryDouble(before="Your memory:\n- a secret")
    for policy in ("shadow", "floating", "recompute", "fifo"):
        runs = assistant(memory, window=WindowConfig(keep=2, max=4, policy=policy))
        for i in range(3):
            chunk(runs, i)
        memory.text = ""
        runs.engine.renew_memory()
        words = []
        for i in range(3, 9):
            chunk(runs, i)
            assert cached(runs) == recomputed(runs)
            words.append(runs.engine.window.prefix.memory)
        assert words == [""] * 6
        memory.text = "Your memory:\n- a secret"


def test_what_was_recalled_of_deleted_notes_leaves_the_window() -> None:
    shown = ((frame(100, 200), "2 hours ago"),)
    memory = MemoryDouble(told=replace(TOLD, pictures=shown))
    runs = assistant(memory, window=WindowConfig(keep=2, max=4))
    chunk(runs, 0)
    runs.ask("Where is the cup?")
    chunk(runs, 1)
    runs.engine.renew_memory()
    assert all(not turn.recalled and not turn.shown for turn in runs.engine.window.turns)
    chunk(runs, 2)
    assert cached(runs) == recomputed(runs)


def test_an_evicted_window_stays_in_order_after_a_deletion() -> None:
    memory = MemoryDouble(before="Your memory:\n- a secret", told=TOLD)
    runs = assistant(memory, window=WindowConfig(keep=3, max=4, qa_groups=2, policy="evict"))
    for i in range(9):
        if i in (2, 4):
            runs.ask("Where is the cup?")
        chunk(runs, i)
    memory.text = ""
    runs.engine.renew_memory()
    for i in range(9, 20):
        if i in (10, 11, 12):
            runs.ask("Where is the cup?")
        chunk(runs, i)
        tokens = cached(runs)
        seen = {t.chunk for t in tokens if not isinstance(t, int)}
        assert seen == set(range(i - 3, i + 1))
        text = bytes(t for t in tokens if isinstance(t, int) and t < 256).decode()
        assert "a secret" not in text and text.startswith("system")


def test_another_model_gets_notes_of_its_own_length() -> None:
    long, short = MemoryDouble(before="Your memory:\n- all of it"), MemoryDouble(before="less")
    old = assistant(long, window=WindowConfig(keep=2, max=4)).engine
    for i in range(3):
        old.step(made(i))
    config = free(gate=GateConfig(), window=WindowConfig(keep=2, max=4))
    new = StreamEngine(ScriptedBackend(Asked()), config, memory=short)
    new.adopt(old, {2: made(2)})
    assert new.window.prefix.memory == "less"
    for i in range(3, 12):
        new.step(made(i))
        assert new.window.prefix.memory == "less"


def test_a_model_without_idle_time_holds_few_pictures() -> None:
    memory = MemoryDouble(block=4)
    config = free(gate=GateConfig(), window=WindowConfig(keep=4, max=8))
    engine = StreamEngine(ScriptedBackend(Asked()), config, memory=memory)
    for i in range(40):
        engine.step(made(i))
    engine.idle()
    ((block, _),) = memory.notes
    assert block.chunks <= 8 and block.last == 39
    assert len(block.frames) == 4


def test_no_note_tells_of_a_pause() -> None:
    memory = MemoryDouble(block=4)
    config = free(gate=GateConfig(), window=WindowConfig(keep=4, max=8))
    engine = StreamEngine(ScriptedBackend(Asked()), config, memory=memory)
    for i in range(20):
        memory.paused = 6 <= i < 10
        engine.step(made(i))
        if i > 10:
            engine.idle()
    assert [(block.first, block.last) for block, _ in memory.notes] == [(10, 13), (14, 17)]
