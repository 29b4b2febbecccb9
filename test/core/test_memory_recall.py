"""What memory tells about a question: which notes, which facts, how many, in how many tokens."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_notes import HOUR, NOW, S, note, stored
from numpy.typing import NDArray

from aura_core.config import MemoryConfig
from aura_core.memory.cameras import mentioned
from aura_core.memory.form import PLAIN, MemoryForm
from aura_core.memory.notes import Note, NoteKind
from aura_core.memory.recall import COUNTED, Recall, Recalled
from aura_core.memory.store import Store, Wanted
from aura_core.memory.words import stem, terms

FACTS = MemoryForm({"en": "note"}, block_s=4.0, line_s=10.0, sentences=True)
DAY = [
    note(9 * 3600, "a red cube appeared on the left; the cat came"),
    note(8 * 3600, "the door opened; a person came in"),
    note(7 * 3600, "the red cube moved and is in the middle; the cat left"),
    note(6 * 3600, "the cat came; the cat jumped on the table"),
    note(5 * 3600, "a blue cube appeared on the right; the cat left"),
    note(2 * 3600, "the cat came; the lamp went on"),
    note(1800, "the cat left; the red cube left"),
    note(600, "the door closed"),
]


def words(text: str) -> int:
    return len(text.split())


def recall(
    notes: Sequence[Note] | Store,
    form: MemoryForm = PLAIN,
    embedder: object = None,
    **settings: int,
) -> Recall:
    store = notes if isinstance(notes, Store) else stored(notes)
    return Recall(store, MemoryConfig(**settings), form, embedder, UTC, words)  # type: ignore[arg-type]


def asked(question: str, form: MemoryForm = FACTS, notes: Sequence[Note] = DAY) -> Recalled:
    found = recall(notes, form).find(question, NOW)
    assert found is not None, question
    return found


def ages(found: Recalled) -> list[float]:
    return [(NOW - n.wall_ns) / S for n in found.notes]


# ---- which facts -----------------------------------------------------------------------------


def test_the_lines_of_a_question() -> None:
    assert asked("when did the cat last come?").text == (
        "From memory, 3 matches:\n"
        "- 9 hours ago (08:10): the cat came\n"
        "- 6 hours ago (11:10): the cat came\n"
        "- 2 hours ago (15:10): the cat came\n"
    )
    assert asked("how often did the cat come today?").matches == 3
    assert asked("猫今天来了几次?").text.startswith(
        "记忆，3条：\n- 9小时前 (08:10)：the cat came\n"
    )


def test_a_whole_note_is_shown_to_models_that_know_notes() -> None:
    found = asked("when did the lamp go on?", PLAIN)
    assert found.text == (
        "From memory, 1 match:\n- 2 hours ago (15:10): the cat came; the lamp went on\n"
    )


def test_words_of_two_facts_do_not_match() -> None:
    """ "the cat came; the lamp went on" is no lamp that came."""
    assert asked("did the lamp come?") == Recalled("From memory: nothing.\n", (), 0)
    assert asked("when did the red cat come?").matches == 0
    assert asked("did a red ball come today?").text == "From memory: nothing.\n"


def test_nothing_found_is_said_in_the_language_of_the_question() -> None:
    assert asked("昨天狗来过吗?").text == "记忆：没有。\n"
    assert asked("did the dog come?", notes=[]).text == "From memory: nothing.\n"


def test_closed_gate_and_no_notes_wanted() -> None:
    assert recall(DAY, FACTS).find("what is on the table?", NOW) is None
    assert recall(DAY, FACTS, recall_notes=0).find("when did the cat come?", NOW) is None


def test_where_tells_places() -> None:
    found = asked("where did i leave the red cube?")
    assert ages(found) == [9 * 3600, 7 * 3600]
    assert found.text.endswith("the red cube moved and is in the middle\n")
    assert asked("where was the blue cube last?").text.endswith(
        "a blue cube appeared on the right\n"
    )
    left = asked("where was the red cube?", PLAIN)  # that it left since is told too
    assert ages(left)[-1] == 1800
    assert asked("where was the lamp?", FACTS).matches == 0


def test_who_are_persons_first() -> None:
    found = asked("who came in while i was out?")
    assert found.matches == 1 and "a person came in" in found.text and "cat" not in found.text
    assert asked("who jumped on the table today?").text.endswith("the cat jumped on the table\n")


def test_what_came_first_tells_the_oldest() -> None:
    many = [note(i * 3600, "a blue cube appeared") for i in range(1, 9)]
    many += [note(10.5 * 3600, "a red cube appeared"), note(100, "a red cube appeared")]
    found = asked("which came first today, the red cube or the blue cube?", notes=many)
    assert found.matches == 10
    assert ages(found)[0] == 10.5 * 3600 and ages(found)[1] == 8 * 3600
    first = asked("what came first today?", notes=many)
    assert ages(first) == [10.5 * 3600, *(i * 3600 for i in (8, 7, 6, 5))]
    one = [note(100, "a red cube appeared; a blue cube appeared")]
    both = asked("which came first today, the blue cube or the red cube?", notes=one)
    assert both.text.endswith("a red cube appeared; a blue cube appeared\n")


def test_the_newest_are_shown_and_all_are_counted() -> None:
    many = [note(60 * i, "the cat came; the door opened; the cat came") for i in range(1, 300)]
    found = asked("how often did the cat come today?", notes=many)
    assert found.matches == 2 * 299
    assert ages(found) == [300, 240, 180, 120, 60]


def test_many_notes_are_counted_in_bounded_time() -> None:
    """Beyond `COUNTED` notes each one counts once."""
    store = stored([])
    store.add(
        [note(10 * i, "the cat came; the cat came", length_s=5) for i in range(1, COUNTED + 101)]
    )
    found = recall(store, FACTS).find("how often did the cat come?", NOW)
    assert found is not None and found.matches == 2 * COUNTED + 100


# ---- when ------------------------------------------------------------------------------------


SHORT = [  # notes of 4 s, of which three are within 10 s
    note(300, "the cat came"),
    note(296, "the cat left; the door opened"),
    note(292, "the cat came"),
    note(288, "the cat left"),
    note(60, "the cat came"),
]


def test_short_notes_stand_in_lines_as_long_as_those_of_the_training() -> None:
    found = asked("how often did the cat come today?", notes=SHORT)
    assert found.text == (
        "From memory, 3 matches:\n"
        "- 4 minutes ago (17:05): the cat came; the cat came\n"
        "- 1 minute ago (17:09): the cat came\n"
    )
    assert ages(found) == [300, 292, 60]
    found = asked("what happened in the last ten minutes?", notes=SHORT)
    assert [line.partition("): ")[2] for line in found.text.splitlines()[1:]] == [
        "the cat came; the cat left; the door opened; the cat came",
        "the cat left",
        "the cat came",
    ]


def test_as_many_lines_are_shown_as_are_wanted_and_not_as_many_notes() -> None:
    found = recall(SHORT, FACTS, recall_notes=2).find("when did the cat last come?", NOW)
    assert found is not None and ages(found) == [300, 292, 60]
    found = recall(SHORT, FACTS, recall_notes=1).find("when did the cat first come?", NOW)
    assert found is not None and ages(found) == [300, 292]


def test_notes_of_two_cameras_never_stand_in_one_line() -> None:
    two = [replace(n, stream="front" if i < 2 else "back") for i, n in enumerate(SHORT)]
    found = asked("when did the cat last come?", notes=two)
    assert len(found.text.splitlines()) == 1 + 3


def test_notes_stand_alone_for_models_that_know_notes() -> None:
    found = asked("when did the cat last come?", PLAIN, SHORT)
    assert len(found.text.splitlines()) == 1 + 3


def test_a_time_limits_what_counts() -> None:
    assert asked("did the cat come in the last hour?").matches == 0
    assert asked("how often did the cat come this morning?").matches == 2
    assert ages(asked("what happened two hours ago?")) == [2 * 3600]
    assert asked("what happened three hours ago?").matches == 0
    assert ages(asked("what happened 10 minutes ago?", PLAIN)) == [600]
    assert asked("what happened yesterday?").matches == 0


def test_so_long_ago_is_wider_for_models_that_were_not_trained_with_it() -> None:
    late = [note(2.3 * 3600, "the cat came")]
    assert asked("what happened two hours ago?", FACTS, late).matches == 0
    assert asked("what happened two hours ago?", PLAIN, late).matches == 1
    near = [*late, note(2 * 3600 + 100, "the dog came")]
    assert "dog" in asked("what happened two hours ago?", PLAIN, near).text
    assert "cat" not in asked("what happened two hours ago?", PLAIN, near).text


def test_of_a_busy_time_the_rare_is_told() -> None:
    busy = [note(3600 * 20 + 60 * i, "the cat came; the door opened") for i in range(200)]
    busy += [note(3600 * 20 + 3030, "the vase broke"), note(3600 * 22, "nothing new")]
    found = asked("what happened yesterday?", PLAIN, busy)
    assert "the vase broke" in found.text and len(found.notes) == 5
    assert found.matches == 401


# ---- kinds -----------------------------------------------------------------------------------


def test_questions_that_hold_the_same_words_are_not_counted() -> None:
    notes = [
        *DAY,
        note(500, "2 hours ago", NoteKind.QUESTION, "when did the cat come?"),
        note(400, "yes", NoteKind.QUESTION, "did the cat come?"),
    ]
    for form in (FACTS, PLAIN):
        found = asked("how often did the cat come today?", form, notes)
        assert found.matches == 3
        assert all(n.kind is NoteKind.SEEN for n in found.notes)


def test_earlier_answers_are_found_where_nothing_was_seen_or_they_are_asked_for() -> None:
    notes = [*DAY, note(500, "it is silver", NoteKind.QUESTION, "what colour is the kettle?")]
    found = asked("when did the kettle have a colour?", PLAIN, notes)
    assert found.text.endswith("asked: what colour is the kettle? - it is silver\n")
    assert found.matches == 0 or found.notes
    said = [*notes, note(300, "the kettle was steaming")]
    told = asked("what did you say about the kettle earlier?", PLAIN, said)
    assert [n.kind for n in told.notes] == [NoteKind.QUESTION]
    assert asked("when did the kettle have a colour?", FACTS, notes).matches == 0


def test_an_alert_that_repeats_a_note_counts_once() -> None:
    watch = "tell me when the cat comes"
    notes = [
        *DAY,
        note(2 * 3600 + 5, "the cat came", NoteKind.ALERT, watch),
        note(4 * 3600, "the cat came", NoteKind.ALERT, watch),  # while no note was written
        note(3 * 3600, "now!", NoteKind.ALERT, watch),  # its watch says what it was
    ]
    assert asked("how often did the cat come today?", FACTS, notes).matches == 5
    assert asked("how often did the dog come today?", FACTS, notes).matches == 0
    around = asked("what happened 2 hours ago?", FACTS, notes)
    assert [n.kind for n in around.notes] == [NoteKind.SEEN]


def test_streams_are_kept_apart() -> None:
    notes = [note(100, "the cat came", stream="a"), note(200, "the cat came", stream="b")]
    made = recall(notes, FACTS)
    for stream, number in (("a", 1), ("b", 1), ("c", 0), (None, 2)):
        found = made.find("how often did the cat come?", NOW, stream)
        assert found is not None and found.matches == number


# ---- near and like ---------------------------------------------------------------------------


def test_what_nearly_matches_is_shown_to_models_that_were_not_trained() -> None:
    notes = [note(300, "Ana put the blue parcel on the shelf"), note(200, "the cat came")]
    found = asked("when did the postman bring the blue parcel?", PLAIN, notes)
    assert ages(found) == [300] and found.matches == 1
    assert asked("when did the postman bring the blue parcel?", FACTS, notes).matches == 0
    assert asked("did an elephant dance?", PLAIN, notes).text == "From memory: nothing.\n"


class Meaning:
    """An embedder that knows that a feline is a cat."""

    name, dimension = "meaning", 3

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        vectors = []
        for text in texts:
            said = set(terms(text))
            vector = np.array(
                [bool(said & {stem("feline"), "cat"}), "lamp" in said, 0.01], np.float32
            )
            vectors.append(vector / np.linalg.norm(vector))
        return np.array(vectors)


def with_vectors(notes: Sequence[Note]) -> Store:
    store = stored([])
    store.add(notes, list(Meaning().embed([n.text for n in notes])))
    return store


def test_notes_of_like_meaning() -> None:
    store = with_vectors(DAY)
    made = recall(store, PLAIN, Meaning())
    found = made.find("when did a feline sit here?", NOW)
    assert found is not None and all("cat" in n.text for n in found.notes) and found.notes
    like = made.search("feline", NOW)
    assert like and all("cat" in n.text for n in like)
    assert recall(store, PLAIN).search("feline", NOW) == []
    span = made.find("when did a feline sit here in the last 3 hours?", NOW)
    assert span is not None and ages(span) == [2 * 3600, 1800]


def test_vectors_of_another_length_are_left_alone() -> None:
    store = stored([])
    store.add([DAY[0]], [np.ones(5, np.float32)])
    assert recall(store, PLAIN, Meaning()).search("feline", NOW) == []


# ---- forgotten, odd, large -------------------------------------------------------------------


def test_a_forgotten_note_is_never_told_again() -> None:
    store = with_vectors([*DAY, note(50, "the secret cat came")])
    made = recall(store, PLAIN, Meaning())
    question = "when did the secret feline come?"
    assert "secret" in made.find("when did the secret cat come?", NOW).text  # type: ignore[union-attr]
    assert any("secret" in n.text for n in made.search("feline", NOW))
    store.forget(Wanted(substring="secret"))
    for asks in ("when did the secret cat come?", question, "what did i miss?"):
        found = made.find(asks, NOW)
        assert found is not None and "secret" not in found.text
    assert not any("secret" in n.text for n in made.search("feline", NOW))
    assert recall(store).search("secret", NOW) == []


@pytest.mark.parametrize(
    "text",
    [
        "what's AND NOT",
        'when did "the cat" OR NEAR(door, 3) come?',
        "terms MATCH 'x'; DROP TABLE note; --",
        "🙂🙂",
        "",
        "   ?",
        "\0\ud800",
        "when did the " + "very " * 10_000 + "red cat come?",
        "%_\\",
        "* ^ : - + ( )",
        "猫" * 3000,
    ],
)
def test_odd_texts_do_no_harm(text: str) -> None:
    made = recall(DAY)
    made.find(text, NOW)
    made.find(f"when did {text} come?", NOW)
    assert isinstance(made.search(text, NOW), list)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60), st.sampled_from(["", "when did ", "how often ", "今天", "where was "]))
def test_any_text_passes(text: str, begin: str) -> None:
    made = recall(_SHARED)
    for form in (FACTS, PLAIN):
        found = Recall(_SHARED, MemoryConfig(), form, None, UTC, words).find(begin + text, NOW)
        assert found is None or words(found.text) <= MemoryConfig().recall_tokens
    made.search(begin + text, NOW)


_SHARED = stored(DAY)


def test_the_tokens_are_a_hard_limit() -> None:
    rng = random.Random(0)
    for _ in range(60):
        notes = [
            note(
                60 * i,
                "; ".join(["the cat came"] * rng.randint(1, 30)) + " x" * rng.choice((0, 900)),
            )
            for i in range(1, rng.randint(2, 12))
        ]
        tokens = rng.randint(16, 120)
        for form in (FACTS, PLAIN):
            made = recall(notes, form, recall_tokens=tokens, recall_notes=rng.randint(1, 9))
            found = made.find("when did the cat come?", NOW)
            assert found is not None and words(found.text) <= tokens
            assert found.matches >= len(notes)
            assert ages(found)[-1] == 60  # the newest stays
            assert found.text.count("\n- ") == len(found.notes)
    first = recall(
        [note(60 * i, "the cat came") for i in range(1, 9)], FACTS, recall_tokens=16
    ).find("when did the cat come for the first time today?", NOW)
    assert first is not None and ages(first) == [480]


def test_a_note_of_ten_thousand_words() -> None:
    long = "; ".join(["the dog slept on the sofa"] * 2000) + "; the cat came at noon"
    found = asked("when did the cat come?", PLAIN, [note(100, long)])
    assert found.text.endswith(": the cat came at noon\n")


def test_notes_of_the_future_after_a_clock_was_set_back() -> None:
    found = asked("when did the cat come?", FACTS, [note(-7200, "the cat came")])
    assert "just now (19:10)" in found.text


# ---- search ----------------------------------------------------------------------------------


def test_search() -> None:
    made = recall(DAY)

    def hours(text: str, **more: int) -> list[float]:
        return [(NOW - n.wall_ns) / HOUR for n in made.search(text, NOW, **more)]

    assert hours("cat came")[:3] == [2, 6, 9]
    assert hours("lamp") == [2]
    assert hours("lam") == [2]  # a part of a word
    assert hours("", limit=3) == [pytest.approx(1 / 6), 0.5, 2]
    assert hours("cat", begin_wall_ns=NOW - 3 * HOUR) == [0.5, 2]
    assert hours("cat", begin_wall_ns=NOW - 8 * HOUR, end_wall_ns=NOW - 6 * HOUR - 60 * S) == [7]
    assert hours("cat in the last hour") == [0.5]
    assert hours("cat", limit=0) == []
    assert hours("elephant") == []
    assert hours("what happened?", limit=2) == hours("", limit=2)
    assert hours("what happened in the last hour?") == [pytest.approx(1 / 6), 0.5]
    assert made.search("cat", NOW, stream="other") == []


def test_questions_are_found_by_a_search() -> None:
    notes = [*DAY, note(500, "silver", NoteKind.QUESTION, "what colour is the teapot?")]
    assert [n.text for n in recall(notes).search("teapot", NOW)] == ["silver"]


def test_replacing_the_form_changes_what_is_shown_alone() -> None:
    both = [
        asked("when did the cat last come?", f) for f in (FACTS, replace(FACTS, sentences=False))
    ]
    assert both[0].matches == both[1].matches == 3
    assert [n.id for n in both[0].notes] == [n.id for n in both[1].notes]


ROOMS = ("kitchen", "front_door")
HOUSE = [
    note(7200, "the cat came; the lamp went on", stream="kitchen"),
    note(3600, "the cat came", stream="front_door"),
    note(1800, "the postman came", stream="front_door"),
    note(900, "the cat left the kitchen", stream="front_door"),
    note(600, "炉子开着", stream="kitchen"),
]


def in_house(question: str, form: MemoryForm = PLAIN, cameras: Sequence[str] = ROOMS) -> list[str]:
    """The recalled lines, without their marks and times."""
    store = stored(HOUSE)
    own = Recall(store, MemoryConfig(), form, None, UTC, words, lambda: cameras)
    found = own.find(question, NOW)
    assert found is not None, question
    return [line.removeprefix("- ") for line in found.text.strip().split("\n")[1:]]


@pytest.mark.parametrize("form", [PLAIN, FACTS])
def test_of_several_cameras_a_line_says_which(form: MemoryForm) -> None:
    first, second = in_house("when did the cat come?", form)[:2]
    assert first.startswith("2 hours ago (15:10, kitchen): the cat came")
    assert second == "1 hour ago (16:10, front door): the cat came"
    assert in_house("炉子什么时候开的？", form)[-1] == "10分钟前 (17:00，厨房)：炉子开着"


def test_of_one_camera_a_line_says_nothing_of_it() -> None:
    """The embedded model was trained with such lines."""
    one = [note(3600, "the cat came", stream="kitchen"), note(60, "began", NoteKind.RUN)]
    own = Recall(stored(one), MemoryConfig(), FACTS, None, UTC, words, lambda: ("kitchen",))
    found = own.find("when did the cat come?", NOW)
    assert found is not None and "- 1 hour ago (16:10): the cat came\n" in found.text


def test_notes_of_a_camera_that_was_renamed_say_which() -> None:
    lines = in_house("when did the cat come?", cameras=("hall",))
    assert lines[0].startswith("2 hours ago (15:10, kitchen)")


@pytest.mark.parametrize(
    "question, told",
    [
        ("when did the cat last come in the kitchen?", ["2 hours ago"]),
        ("when did the cat last come on the kitchen camera?", ["2 hours ago"]),
        ("how often did the cat come at the front door today?", ["1 hour ago"]),
        ("猫今天在厨房里来过几次？", ["2小时前"]),
        ("when did the postman come in the kitchen?", []),  # he came, but not there
        ("when did the cat leave the kitchen?", ["15 minutes ago"]),
    ],
)
def test_a_question_that_names_a_camera_prefers_it(question: str, told: list[str]) -> None:
    lines = in_house(question, FACTS)
    assert [line.split(" (")[0] for line in lines] == told


@pytest.mark.parametrize(
    "question, found",
    [
        ("did she come in the Kitchen today?", ("kitchen", "did she come today?")),
        ("who was at the front door?", ("front_door", "who was?")),
        ("what did the front door camera see?", ("front_door", "what did see?")),
        ("what was on the left?", None),  # of the picture
        ("what was on the left camera?", ("left", "what was?")),
        ("谁在厨房里？", ("kitchen", "谁 ？")),
        ("who cooked in the kitchenette?", None),
        ("who came from the kitchen, and who at the front door?", None),
        ("where is the key?", None),
    ],
)
def test_the_camera_that_a_question_names(question: str, found: tuple[str, str] | None) -> None:
    assert mentioned(question, ("kitchen", "front_door", "left", "")) == found
