"""Which question an answer belongs to, and of which kind it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aura_core.stream.attribution import Attribution, Booking, standing_kind, urgent
from aura_core.types import Answered, Kind, Query, Severity

REAL, PRO, MULTI = Kind.REAL_TIME, Kind.PROACTIVE, Kind.MULTI_RESPONSE


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("What is on the table?", None),
        ("How many cubes are there?", None),
        ("Is there a red cube?", None),
        ("What was there when I came in?", None),
        ("桌上有什么？", None),
        ("Tell me when a red cube appears.", PRO),
        ("Let me know as soon as the kettle boils", PRO),
        ("When the door opens, warn me.", PRO),
        ("Once he sits down, please notify me", PRO),
        ("Watch for a cat.", PRO),
        ("看到猫的时候告诉我", PRO),
        ("i want to know when it gets dark", PRO),
        ("If the kettle boils, tell me", PRO),
        ("如果有人来就叫我", PRO),
        ("When I came in, what did the sign say?", None),
        ("Do you want to know if he is there?", None),
        ("这个时候那个东西叫什么？", None),
        ("Tell me every time an object is removed.", MULTI),
        ("Whenever someone enters, say who it is", MULTI),
        ("Count every car", MULTI),
        ("每当有人进来时告诉我", MULTI),
    ],
)
def test_watches_are_recognised_by_their_words(words, kind):
    assert standing_kind(words) is kind
    assert standing_kind(words.upper()) is kind


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query("Warn me when the baby wakes up."), True),
        (Query("Tell me immediately if he falls"), True),
        (Query("When the pot boils over, tell me RIGHT AWAY"), True),
        (Query("tell me at once when it rains"), True),
        (Query("有人摔倒时立刻告诉我"), True),
        (Query("宝宝醒了马上叫我"), True),
        (Query("如果起火，请报警"), True),
        (Query("Tell me when it rains."), False),
        (Query("Tell me when it rains.", urgent=True), True),
        (Query("Tell me when it rains.", severity=Severity.CRITICAL), True),
        (Query("Tell me when it rains.", severity=Severity.WARNING), False),
        (Query("Tell me when the warning light goes off, it is not urgent"), False),
        (Query("猫来的时候告诉我"), False),
    ],
)
def test_urgency_comes_from_the_words_and_the_severity(query, expected):
    assert urgent(query) is expected


def test_an_answer_that_nobody_heard_opens_its_watch_again_three_times_at_most():
    attribution = Attribution()
    ask(attribution, "Warn me when it rains.", "q1")
    for _ in range(4):
        assert attribution.open_ids() == {"q1"}
        booking = attribution.book("It rains.")
        assert (booking.kind, booking.index, booking.urgent) == (PRO, 0, True)
        reopened = attribution.unheard("q1")
    assert not reopened and attribution.open_ids() == frozenset()
    assert not attribution.unheard("q2")


def ask(attribution: Attribution, text: str, query_id: str, kind: Kind | None = None) -> Query:
    query = Query(text, id=query_id, kind=kind)
    attribution.ask(query)
    return query


def alert(query_id: str, kind: Kind, index: int) -> Booking:
    """The booking of an answer to one watch."""
    watches = (Answered(query_id, kind, index),)
    return Booking(query_id, kind, index, False, watches=watches)


def test_an_answer_in_the_chunk_of_its_question_is_real_time():
    attribution = Attribution()
    q = ask(attribution, "What is there?", "q1")
    assert attribution.book("A cube.", q) == Booking("q1", REAL, 0, False)
    assert attribution.open_ids() == frozenset()


def test_a_proactive_question_is_acknowledged_answered_and_closed():
    attribution = Attribution()
    q = ask(attribution, "Tell me when a red cube appears.", "q1")
    assert attribution.open_ids() == {"q1"}
    assert attribution.book("I will.", q) == Booking("q1", REAL, 0, True)
    assert attribution.open_ids() == {"q1"}
    assert attribution.book("A red cube appeared.", None) == alert("q1", PRO, 0)
    assert attribution.open_ids() == frozenset()
    assert attribution.book("And another.", None) == alert("q1", MULTI, 1)


def test_a_repeated_question_stays_open_and_counts():
    attribution = Attribution()
    ask(attribution, "Tell me every time a cube appears.", "q1")
    assert [attribution.book("A cube.", None) for _ in range(3)] == [
        alert("q1", MULTI, k) for k in range(3)
    ]
    assert attribution.open_ids() == {"q1"}


def test_a_registered_kind_wins_over_the_words():
    attribution = Attribution()
    ask(attribution, "the kettle", "w1", PRO)
    assert attribution.open_ids() == {"w1"}
    q = ask(attribution, "Tell me when it boils", "w2", REAL)
    assert attribution.open_ids() == {"w1"}
    # Regression: this answer was taken for an acknowledgment.
    assert attribution.book("It boils.", q) == Booking("w2", REAL, 0, False)
    assert attribution.book("It boils.", None).query_id == "w1"


def test_an_unasked_answer_with_no_standing_question_goes_to_the_newest():
    attribution = Attribution()
    assert attribution.book("Look out!", None) == Booking("", PRO, 0, False)
    a, b = ask(attribution, "What is there?", "a"), ask(attribution, "How many?", "b")
    attribution.book("x", a)
    attribution.book("y", b)
    assert attribution.book("Two more.", None) == Booking("b", PRO, 1, False)


def test_an_unasked_answer_goes_to_the_open_question_it_shares_words_with():
    """Regression: punctuation hid a shared word, because 'cube.' was not 'cube'."""
    attribution = Attribution()
    ask(attribution, "Tell me when you see a cube", "cube")
    ask(attribution, "Tell me when a ball rolls by", "ball")
    assert attribution.book("Now: cube.", None).query_id == "cube"
    assert attribution.book("There, the BALL!", None).query_id == "ball"


def test_chinese_questions_share_characters():
    attribution = Attribution()
    attribution.ask(Query("每次猫跳到桌子上都提醒我", "cat"))
    attribution.ask(Query("每次门开了都告诉我", "door"))
    assert attribution.book("猫跳上了桌子", None).query_id == "cat"
    assert attribution.book("门开了", None).query_id == "door"


def test_the_newest_open_question_wins_a_tie():
    attribution = Attribution()
    for query_id in "ab":
        ask(attribution, "Tell me every time something moves", query_id)
    assert attribution.book("!", None).query_id == "b"


def test_the_text_of_a_question_is_found_by_its_id():
    attribution = Attribution()
    ask(attribution, "What is there?", "a")
    assert (attribution.question("a"), attribution.question("b")) == ("What is there?", "")


def test_closed_questions_beyond_the_limit_are_forgotten_oldest_first_open_ones_never():
    attribution = Attribution(limit=3)
    ask(attribution, "Tell me when it rains", "open")
    for k in range(6):
        ask(attribution, "What?", f"q{k}")
    assert [e.query.id for e in attribution.entries] == ["open", "q4", "q5"]


words = st.sampled_from(
    [
        "What is there?",
        "Tell me when a cube appears",
        "Tell me every time a ball leaves",
        "Watch for a cone",
    ]
)


@given(st.lists(st.tuples(st.none() | words, st.booleans()), max_size=40), st.integers(1, 5))
def test_what_holds_of_any_conversation(chunks, limit):
    """Each chunk may ask, and may be answered."""
    attribution = Attribution(limit)
    counts: dict[str, list[int]] = {}
    for i, (text, spoken) in enumerate(chunks):
        query = ask(attribution, text, f"q{i}") if text else None
        if query is not None:
            closed = [e for e in attribution.entries[:-1] if not e.open]
            assert len(attribution.entries) <= limit or not closed
        open_before = attribution.open_ids()
        if not spoken:
            continue
        b = attribution.book("a cube", query)
        assert (b.kind is REAL) == (query is not None)
        if query is not None:
            assert b.query_id == query.id and b.acknowledgment == (
                standing_kind(query.text) is not None
            )
        elif open_before:
            assert b.query_id in open_before
        if b.query_id and not b.acknowledgment:
            counts.setdefault(b.query_id, []).append(b.index)
    assert all(indices == list(range(len(indices))) for indices in counts.values())
