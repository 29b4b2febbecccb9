"""The text before the video: newest notes word for word, older ones merged, within the budget."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_notes import HOUR, MINUTE, NOW, S, note, stored

from aura_core.config import MemoryConfig
from aura_core.memory.form import PLAIN, MemoryForm
from aura_core.memory.notes import NoteKind
from aura_core.memory.store import Store, Wanted
from aura_core.memory.tiers import Tiers, merged

RULES = replace(PLAIN, merges=None)
TRAINED = MemoryForm({"en": "note"}, block_s=10.0, prefix_tokens=60, sentences=True)


def words(text: str) -> int:
    return len(text.split())


def tiers(store: Store, form: MemoryForm = RULES, tokens: int | None = 2000, **settings: float):
    config = MemoryConfig(prefix_tokens=tokens, **settings)
    return Tiers(store, config, form, UTC, words)


def test_merging_counts_and_ends_with_the_end() -> None:
    notes = [
        "the cat came; the door opened",
        "The cat came.",
        "nothing new",
        "",
        "a cat came; the door closed",
    ]
    assert merged(notes) == "the door opened; a cat came 3 times; the door closed"
    assert merged(["猫来了；门开了", "猫来了"]) == "门开了；猫来了2次"
    assert merged(["nothing new", "", "没有新事"]) == ""
    assert merged(["the door is open", "the door is not open"]).count(";") == 1
    assert merged(["a red cube appeared on the left", "a red cube appeared"]).count(";") == 1


def test_many_facts_keep_the_rarest_and_the_last() -> None:
    often = "; ".join(f"thing {i} moved" for i in range(60))
    kept = merged([often, "the vase broke", often, "the lamp went off; thing 7 moved"])
    assert "the vase broke" in kept and kept.endswith("thing 7 moved 3 times")
    assert kept.count(";") == 39


def test_the_tiers() -> None:
    store = stored(
        [
            note(5 * 60, "the door opened"),
            note(9 * 60, "the cat came"),
            note(60 * 60 - 10, "Ana came in"),
            note(60 * 60 - 30, "Ana sat down; the cat came"),
            note(6 * 3600, "a parcel came"),
            note(6 * 3600 + 60, "a parcel came"),
            note(25 * 3600, "older than that"),
        ]
    )
    assert tiers(store).text(NOW) == (
        "Your memory:\n"
        "- 11:00-12:00: a parcel came 2 times\n"
        "- 16:10-16:20: Ana came in; Ana sat down; the cat came\n"
        "- 17:01: the cat came\n"
        "- 17:05: the door opened\n"
        "It is 17:10 now."
    )
    chinese = tiers(store).text(NOW, language="zh")
    assert chinese.startswith("你的记忆：\n- 11:00-12:00：") and chinese.endswith("\n现在是17:10。")
    assert tiers(store, tokens=0).text(NOW) == ""
    assert tiers(stored([])).text(NOW) == ""


def test_a_stream_sees_its_own_notes_only() -> None:
    store = stored([note(300, "left camera", stream="l"), note(7000, "right camera", stream="r")])
    text = tiers(store)
    assert "left" in text.text(NOW, "l") and "right" not in text.text(NOW, "l")
    assert "right" in text.text(NOW, "r") and "left" not in text.text(NOW, "r")
    assert text.text(NOW, "l") == text.text(NOW, "l")
    assert "left" in text.text(NOW) and "right" in text.text(NOW)


def test_what_is_no_event_is_left_out() -> None:
    store = stored(
        [
            note(100, "on the table", NoteKind.QUESTION, "where is the cup?"),
            note(120, "nothing new"),
            note(130, ""),
            note(200, "the cat came"),
            note(195, "the cat came!", NoteKind.ALERT, "tell me when the cat comes"),
            note(300, "the dog came!", NoteKind.ALERT, "tell me when the dog comes"),
        ]
    )
    assert tiers(store).text(NOW).split("\n")[1:] == [
        "- 17:05: the dog came!",
        "- 17:06: the cat came",
        "It is 17:10 now.",
    ]


def test_summaries_are_kept_and_a_restart_merges_nothing(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    store = Store.open(path)
    store.add([note(7 * 3600 - i * 60, f"fact {i}") for i in range(20)])
    before = tiers(store).text(NOW)
    store.close()
    store = Store.open(path)
    begin = NOW - 7 * HOUR - (NOW - 7 * HOUR) % HOUR
    kept = store.summary(begin, begin + HOUR, "en")
    assert kept is not None and kept.startswith("fact 0; fact 1")
    store.add_summary(begin, begin + HOUR, "en", "kept text")
    assert tiers(store).text(NOW) == before.replace(kept, "kept text")
    store.close()
    reader = Store.open(path, read_only=True)  # it keeps nothing, and reads what is kept
    assert "kept text" in tiers(reader).text(NOW, language="en")
    assert "fact 19" in tiers(reader).text(NOW, language="zh")


def test_what_the_model_is_to_merge() -> None:
    store = stored(
        [
            note(5 * 3600 - 10, "a"),
            note(5 * 3600 - 60, "b"),
            note(5 * 3600 - 640, "c"),
            note(3590, "d"),
            note(3500, "e"),
            note(2000, "single"),
            note(100, "new"),
        ]
    )
    made = tiers(store, PLAIN)
    assert "a; b; c" in made.text(NOW)
    hour = made.unmerged(NOW)
    assert hour is not None and (hour.end_wall_ns - hour.begin_wall_ns) == HOUR
    assert hour.notes == "- 12:10-12:20: a; b\n- 12:20-12:30: c"
    store.add_summary(hour.begin_wall_ns, hour.end_wall_ns, hour.language, "the model's words")
    block = made.unmerged(NOW)
    assert block is not None and (block.end_wall_ns - block.begin_wall_ns) == 10 * MINUTE
    assert block.notes == "- 16:10: d\n- 16:11: e"
    store.add_summary(block.begin_wall_ns, block.end_wall_ns, block.language, "d and e")
    assert made.unmerged(NOW) is None
    text = tiers(store, PLAIN).text(NOW)
    assert "the model's words" in text and "d and e" in text and "single" in text
    other = stored([note(3590, "a", stream="x"), note(3570, "b", stream="x")])
    span = tiers(other, PLAIN).unmerged(NOW, "x", "zh")
    assert span is not None and span.language == "zh x"


def test_a_forgotten_note_is_gone_from_the_text() -> None:
    store = stored([note(7 * 3600, "secret"), note(7 * 3600 - 60, "b"), note(60, "secret two")])
    for form in (RULES, PLAIN, TRAINED):
        text = tiers(store, form)
        assert "secret" in text.text(NOW) or form is TRAINED
    text = tiers(store, PLAIN)
    assert "secret" in text.text(NOW)
    store.forget(Wanted(substring="secret"))
    assert "secret" not in text.text(NOW)
    assert "secret" not in tiers(store).text(NOW)


def test_a_summary_that_was_made_of_a_forgotten_note_is_not_kept() -> None:
    store = stored([note(7 * 3600, "secret"), note(7 * 3600 - 60, "b")])
    text = tiers(store, PLAIN)
    span = text.unmerged(NOW)
    assert span is not None and "secret" in span.notes
    store.forget(Wanted(substring="secret"))
    store.add_summary(
        span.begin_wall_ns, span.end_wall_ns, span.language, "a secret", span.deletions
    )
    assert store.summary(span.begin_wall_ns, span.end_wall_ns, span.language) is None
    assert "secret" not in text.text(NOW)


def test_a_trained_model_gets_the_newest_word_for_word() -> None:
    store = stored([note(20 * i, f"fact {i}; more") for i in range(1, 200)])
    text = tiers(store, TRAINED, tokens=None).text(NOW)
    lines = text.split("\n")
    assert lines[-1] == "- just now (17:09): fact 1; more"
    assert words(text) <= 60 < words(text) + 8
    assert [int(line.split("fact ")[1].split(";")[0]) for line in lines[1:]] == list(
        range(len(lines) - 1, 0, -1)
    )


def busy(hours: float = 12) -> list:
    rng = random.Random(0)
    who = ("the cat", "a person", "Ana", "the dog", "somebody")
    did = ("came in", "left", "jumped on the table", "opened the door", "moved the red cup")
    made = [
        note(30 * i, "; ".join(f"{rng.choice(who)} {rng.choice(did)}" for _ in range(3)))
        for i in range(1, int(hours * 120))
    ]
    return [*made, note(9.5 * 3600 + 5, "parcel 4711 came; the vase broke")]


def test_twelve_busy_hours_fit_in_the_budget() -> None:
    text = tiers(stored(busy())).text(NOW)
    assert words(text) <= 2000
    lines = text.split("\n")[1:-1]
    assert lines[0].startswith("- 05:00-06:00: ")
    assert lines[-1].startswith("- 17:09: ")
    assert len([line for line in lines if "-" in line[2:13]]) >= 18  # merged blocks
    assert len(lines) >= 18 + 20
    assert "4711" in text and "the vase broke" in text  # rare
    tight = tiers(stored(busy()), tokens=250).text(NOW)
    assert words(tight) <= 250
    assert tight.split("\n")[-2] == lines[-1]


def test_until_the_notes_are_merged_again_the_text_grows_at_its_end() -> None:
    """What a cache holds of the text before is used again, see `KVStream.begin`."""
    store, now = stored(busy(2)), NOW
    made = tiers(store, tokens=400)
    text, merged_anew, grown = made.text(NOW), 0, 0
    for k in range(1, 60):
        now = NOW + 30 * k * S
        store.add([note(-30 * k, f"the cat jumped on the table, for time {k}", name=f"more {k}")])
        before, text = text.split("\n")[:-1], made.text(now)
        assert words(text) <= 400
        lines = text.split("\n")
        assert lines[-2].endswith(f"for time {k}") and lines[-1].startswith("It is 17:")
        if lines[: len(before)] == before:
            assert len(lines) == len(before) + 2
            grown += 1
        else:
            merged_anew += 1
    assert merged_anew >= 2 and grown >= 8 * merged_anew
    store.forget(Wanted(substring="time 58"))
    assert "time 58" not in made.text(now) and "time 57" in made.text(now)


def test_a_note_that_comes_late_stands_at_its_time() -> None:
    store = stored([note(300, "the door opened"), note(100, "the cat came")])
    made = tiers(store)
    made.text(NOW)
    store.add([note(200, "the lamp went off", name="late")])
    assert [line[9:] for line in made.text(NOW).split("\n")[1:-1]] == [
        "the door opened",
        "the lamp went off",
        "the cat came",
    ]


def test_on_another_day_the_times_are_told_anew() -> None:
    store = stored([note(300, "the door opened")])
    made = tiers(store)
    assert "- 17:05: " in made.text(NOW)
    assert "- yesterday 17:00-18:00: the door" in made.text(NOW + 10 * HOUR)


def test_one_note_larger_than_the_budget_is_cut() -> None:
    text = tiers(stored([note(60, "word " * 10_000)]), tokens=30).text(NOW)
    assert words(text) <= 30 and "...\n" in text and "word word" in text
    assert tiers(stored([note(60, "word " * 10_000)]), tokens=3).text(NOW) == ""


FACTS = st.sampled_from(
    (
        "the cat came",
        "a red cube appeared on the left",
        "猫来了",
        "x" * 300,
        "nothing new",
        "🙂",
        "",
    )
)
NOTES = st.lists(
    st.tuples(
        st.floats(-100, 100_000), st.lists(FACTS, max_size=6), st.sampled_from(list(NoteKind))
    ),
    max_size=40,
)


@settings(max_examples=80, deadline=None)
@given(
    NOTES,
    st.integers(0, 400),
    st.sampled_from((0.0, 600.0, 5000.0)),
    st.sampled_from((0.0, 7200.0)),
    st.sampled_from((RULES, PLAIN, TRAINED)),
    st.sampled_from((len, words)),
)
def test_the_budget_is_never_exceeded(made, tokens, recent_s, middle_s, form, count) -> None:
    notes = [
        note(ago, "; ".join(facts), kind, name=str(i)) for i, (ago, facts, kind) in enumerate(made)
    ]
    store = stored(notes)
    config = MemoryConfig(prefix_tokens=tokens, recent_s=recent_s, middle_s=middle_s)
    for language in ("en", "zh"):
        made_text = Tiers(store, config, form, UTC, count)
        text = made_text.text(NOW, language=language)
        assert text == "" or count(text) <= tokens
        assert text == made_text.text(NOW, language=language)
        assert text == Tiers(store, config, form, UTC, count).text(NOW, language=language)
    store.close()


@pytest.mark.parametrize("jump_s", [-10 * 365 * 86_400, 10 * 365 * 86_400])
def test_a_clock_that_jumps_does_no_harm(jump_s: int) -> None:
    store = stored(busy(1))
    assert isinstance(tiers(store).text(NOW + jump_s * S), str)
    assert isinstance(tiers(store).text(0), str)


def test_what_was_told_once_is_kept_before_what_was_told_often() -> None:
    hour = [note(5.5 * 3600 + 30 * i, "the fan turned around in the corner") for i in range(1, 30)]
    hour += [
        note(5.5 * 3600 + 605, "the vase broke into many pieces"),
        note(5.5 * 3600, "it got dark"),
    ]
    text = tiers(stored(hour), tokens=28).text(NOW)
    assert "the vase broke into many pieces; it got dark" in text and "fan" not in text
