"""Messages of the console: what the server sends, and what it refuses from a page."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aura_core.console import protocol as p
from aura_core.errors import InputError

BIG = 1_764_374_400_123_456_789  # a wall-clock stamp, which no number of JavaScript can hold


def test_a_stamp_is_a_string_of_digits() -> None:
    sent = json.loads(p.encode(p.Second("", 3, BIG, 1.5, "silent", 0.25)))
    assert sent["type"] == "second"
    assert sent["stamp_ns"] == str(BIG)
    assert sent["at_ms"] == 1.5


def test_a_snapshot_tells_what_each_entry_of_the_conversation_is() -> None:
    asked = p.Asked("q", "", "what?", "console", False, 1.0)
    said = p.Said("r", "", "a cup", BIG, 2.0, evidence=(p.Evidence("n", 3.0),))
    watch = p.Watch("w", "", "tell me", "proactive", True)
    sent = json.loads(p.encode(p.Snapshot(conversation=(asked, said), watches=(watch,))))
    assert [entry["type"] for entry in sent["conversation"]] == ["asked", "said"]
    assert sent["conversation"][1]["evidence"] == [{"note_id": "n", "at_ms": 3.0}]
    assert sent["watches"][0]["last_stamp_ns"] is None


def test_what_is_no_number_of_json_becomes_null() -> None:
    sent = json.loads(p.encode(p.Status(1.0, step_ms=float("nan"))))
    assert sent["step_ms"] is None


def test_messages_in_the_data_of_an_answer_are_objects() -> None:
    note = p.Note("n", "", "seen", "a cat", 1.0, 2.0)
    sent = json.loads(p.encode(p.Answer(4, True, data={"notes": (note,), "count": 1})))
    assert sent["data"]["notes"][0]["text"] == "a cat"


def test_a_command_is_read_with_its_id() -> None:
    text = json.dumps({"id": 7, "type": "add_watch", "text": "tell me", "limit": 2, "urgent": True})
    assert p.parse(text) == (7, p.AddWatch("tell me", limit=2, urgent=True))
    text = json.dumps({"id": 8, "type": "picture", "stamp_ns": str(BIG), "camera": "left"})
    assert p.parse(text) == (8, p.Picture(BIG, "left"))
    text = json.dumps({"id": 9, "type": "forget", "ids": ["a", "b"]})
    assert p.parse(text) == (9, p.Forget(("a", "b")))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"type": "ask", "text": " "}, "text is empty"),
        ({"type": "ask", "text": "x" * 4001}, "at most 4000"),
        ({"type": "ask", "text": 3}, "text must be a text"),
        ({"type": "ask"}, "text is missing"),
        ({"type": "ask", "text": "a", "path": "/etc"}, "'path' is not known"),
        ({"type": "os.system", "text": "a"}, "type must be one of"),
        ({"type": ["ask"], "text": "a"}, "type must be one of"),
        ({"type": "add_watch", "text": "a", "severity": "much"}, "severity must be one of"),
        ({"type": "add_watch", "text": "a", "limit": 0}, "limit must be from 1"),
        ({"type": "add_watch", "text": "a", "limit": 1.5}, "limit must be a whole number"),
        ({"type": "add_watch", "text": "a", "limit": True}, "limit must be a whole number"),
        ({"type": "add_watch", "text": "a", "urgent": 1}, "urgent must be true or false"),
        ({"type": "picture", "stamp_ns": "1e9"}, "stamp_ns must be a whole number"),
        ({"type": "picture", "stamp_ns": "٣"}, "stamp_ns must be a whole number"),
        ({"type": "picture", "stamp_ns": str(2**63)}, "stamp_ns must be from"),
        ({"type": "forget", "ids": ["a"] * 1001}, "ids must be a list of at most 1000"),
        ({"type": "forget", "ids": "a"}, "ids must be a list"),
        ({"type": "forget", "ids": [1]}, "ids must be a text"),
        ({"type": "seek", "at_ms": 1e300}, "at_ms must be from"),
        ({"type": "view", "fps": 11}, "fps must be from 0 to 10"),
    ],
)
def test_a_command_with_a_wrong_field_is_refused_in_words(
    fields: dict[str, object], said: str
) -> None:
    with pytest.raises(p.BadCommand, match=said) as refused:
        p.parse(json.dumps({"id": 5, **fields}))
    assert refused.value.id == 5


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        "[" * 100_000,
        '{"id":1,"type":"seek","at_ms":NaN}',
        '{"id":1,"type":"seek","at_ms":Infinity}',
        '{"id":1,"type":"seek","at_ms":' + "9" * 5000 + "}",
        '{"id":0,"type":"pause","on":true}',
        '{"id":true,"type":"pause","on":true}',
        '{"id":4294967296,"type":"pause","on":true}',
        '{"type":"pause","on":true}',
    ],
)
def test_what_is_no_command_has_no_id(text: str) -> None:
    with pytest.raises(p.BadCommand) as refused:
        p.parse(text)
    assert refused.value.id is None


def test_half_a_character_is_replaced() -> None:
    _, command = p.parse('{"id":1,"type":"ask","text":"a\\ud800b\\u0000c?"}')
    assert command == p.Ask("a?b c?")


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=5))
@settings(max_examples=100, deadline=None)
def test_any_value_of_json_is_taken_or_refused(value: object) -> None:
    for kind, field in (("ask", "text"), ("seek", "at_ms"), ("forget", "ids"), ("pause", "on")):
        try:
            _, command = p.parse(json.dumps({"id": 1, "type": kind, field: value}))
        except p.BadCommand:
            continue
        assert p.type_name(type(command)) == kind


def test_the_first_message_must_be_enter() -> None:
    assert p.parse_enter('{"type":"enter","version":1,"token":"x"}') == p.Enter(1, "x")
    with pytest.raises(InputError, match="enter"):
        p.parse_enter('{"type":"pause","version":1}')


def test_binary_messages() -> None:
    sent = p.Binary(p.SEEN, 2, -5, b"\xff\xd8", 9)
    assert p.parse_binary(sent.encode()) == sent
    with pytest.raises(InputError, match="16"):
        p.parse_binary(b"\x04" * 16)
    with pytest.raises(InputError, match="not 1"):
        p.parse_binary(p.Binary(p.LIVE, 0, 0, b"x").encode())


def test_a_character_is_a_character_however_it_is_written() -> None:
    """The page counts in the same way: test_page_live.py."""
    text = "\U0001f600" * 4000  # each has two units of UTF-16 and four bytes of UTF-8
    assert p.parse(json.dumps({"id": 1, "type": "ask", "text": text}, ensure_ascii=False))[1]
    with pytest.raises(p.BadCommand, match="4001 characters; at most 4000"):
        p.parse(json.dumps({"id": 1, "type": "ask", "text": text + "!"}))


BLANKS = (
    "\u200b",
    " \u200b\ufeff\u2060 ",
    "\u00ad\u061c",
    "\u3164\uffa0\u115f",
    "\u2800",
    "\ufe0f",
)


@pytest.mark.parametrize("blank", BLANKS)
@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("ask", "text"),
        ("add_watch", "text"),
        ("recall", "text"),
        ("unwatch", "watch_id"),
        ("acknowledge", "key"),
        ("forget", "ids"),
    ],
)
def test_a_text_of_which_nothing_can_be_seen_is_empty(kind: str, field: str, blank: str) -> None:
    def sent(text: str) -> str:
        value = [text] if field == "ids" else text
        return json.dumps({"id": 1, "type": kind, field: value})

    with pytest.raises(p.BadCommand, match=f"{field} is empty"):
        p.parse(sent(blank))
    assert p.parse(sent(f"{blank}?"))[0] == 1
