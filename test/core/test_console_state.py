"""What the console keeps: bounded, whatever comes, and told to a page as it was."""

from __future__ import annotations

import asyncio

import cv2
import numpy as np
import pytest
from console_rig import picture, seen

from aura_core.console import protocol as p
from aura_core.console import thumbnails
from aura_core.console.clients import Outgoing
from aura_core.console.forgetting import of_note, told
from aura_core.console.robot import Seen
from aura_core.console.security import Bucket
from aura_core.console.state import ALERTS, CONVERSATION, Past
from aura_core.console.thumbnails import Thumbnails, live
from aura_core.errors import InputError
from aura_core.memory.deletion import Forgotten


def second(at_s: float, camera: str = "") -> p.Second:
    return p.Second(camera, int(at_s), int(at_s * 1e9), at_s * 1e3, "silent", 0.5)


def alert(i: int) -> p.Alert:
    return p.Alert(f"r{i}/w", f"r{i}", "w", "", "tell me", "here", i, i * 1e3)


# ---- the past ------------------------------------------------------------------------------------


def test_seconds_are_kept_for_some_minutes_of_each_camera() -> None:
    past = Past(cameras=2, kept_s=10)
    for at_s in range(100):
        past.take(second(at_s))
        past.take(second(at_s, "left"))
    kept = past.snapshot().seconds
    assert [s.chunk for s in kept if not s.camera] == list(range(89, 100))
    assert len(kept) == 22


def test_no_event_makes_the_past_grow() -> None:
    past = Past()
    for i in range(10_000):
        past.take(p.Asked(f"q{i}", "", "what?", "console", False, i))
        past.take(alert(i))
        past.take(p.Note(f"n{i}", "", "seen", "a cat", i, i))
        past.take(p.Problem("", "no", i))
        past.take(second(i / 100))  # faster than a second a second
        past.take(p.Words(f"r{i}", "", "a", i))
    kept = past.snapshot()
    assert len(kept.conversation) == CONVERSATION
    assert kept.conversation[-1].id == "q9999"
    assert len(kept.alerts) == ALERTS
    assert len(kept.seconds) == p.KEPT_S + 1
    assert len(kept.notes) == len({n.id for n in kept.notes}) <= 100


def test_what_is_left_out_is_counted_until_all_is_forgotten() -> None:
    past = Past()
    for i in range(CONVERSATION):
        past.take(p.Asked(f"q{i}", "", "what?", "console", False, i))
    for i in range(ALERTS):
        past.take(alert(i))
    past.take(alert(0))  # acknowledged, say: it is no new one
    assert past.left_out == 0
    for i in range(3):
        past.take(p.Refused(f"q{i}", "", "what?", "no", i))
    past.take(alert(ALERTS))
    assert past.left_out == 4
    past.take(p.Forgotten(1.0))
    assert past.left_out == 0


def test_an_alert_is_acknowledged_once() -> None:
    past = Past()
    past.take(alert(1))
    acknowledged = past.acknowledge("r1/w")
    assert acknowledged is not None and acknowledged.acknowledged
    assert past.acknowledge("r1/w") is None
    with pytest.raises(InputError, match="not kept any more"):
        past.acknowledge("r2/w")
    past.take(alert(1))  # told again: no second one
    assert len(past.snapshot().alerts) == 1


def test_forgotten_words_are_not_kept() -> None:
    past = Past()
    past.take(second(1))
    past.take(p.Said("r", "", "a letter", 1, 1.0))
    past.take(p.Note("n", "", "seen", "a letter", 1.0, 1.0))
    past.take(alert(1))
    watch = p.Watch("w", "", "tell me", "proactive", True, last_text="a letter", last_stamp_ns=1)
    past.take(p.Watches((watch,)))
    past.take(p.Forgotten(2.0))
    kept = past.snapshot()
    assert not (kept.conversation or kept.alerts or kept.notes)
    assert [(w.text, w.last_text, w.last_stamp_ns) for w in kept.watches] == [("tell me", "", None)]
    assert len(kept.seconds) == 1  # numbers


def test_what_one_deleted_note_repeats_goes_and_nothing_else_does() -> None:
    """Regression: one note was deleted, and every alert and answer went."""
    past = Past()
    for i in range(1, 8):
        past.take(second(i * 10))
        past.take(p.Asked(f"q{i}", "", "what?", "console", False, i * 10_000.0))
        past.take(p.Said(f"a{i}", "", "a cup", i * 10**10, i * 10_000.0 + 900.0, f"q{i}"))
    for i in (1, 2, 3):
        past.take(p.Alert(f"r{i}/w", f"r{i}", "w", "", "tell me", "here", i, i * 10_000.0))
    past.acknowledge("r2/w")
    watch = p.Watch("w", "", "tell me", "multi-response", True, last_text="here", last_stamp_ns=3)
    past.take(p.Watches((watch,)))
    note = p.Note("n1", "", "question", "a cup", 5e4, 5e4, "what?", "q5", "a5")
    answer = Forgotten(None, None, 0, False, 1, (of_note(note),))
    kept = past.forget(told([answer], 1e5))
    left = past.snapshot()
    assert [c.id for c in left.conversation] == [
        f"{of}{i}" for i in (1, 2, 3, 4, 6, 7) for of in ("q", "a")
    ]
    assert [a.key for a in left.alerts] == ["r1/w", "r2/w", "r3/w"]
    assert left.watches == (watch,)
    assert kept[""].stamps == {1, 2, 3, *(i * 10**10 for i in (1, 2, 3, 4, 6, 7))}
    # of a note of the time 8 to 22 s: of both alerts in it, the one that is acknowledged goes
    seen_note = of_note(p.Note("n2", "", "seen", "a cup", 8e3, 22e3))
    past.forget(told([Forgotten(None, None, 0, False, 1, (seen_note,))], 1e5))
    left = past.snapshot()
    assert [a.key for a in left.alerts] == ["r1/w", "r3/w"]
    assert [c.id for c in left.conversation][:2] == ["q3", "a3"]
    # the alert's own note
    own = of_note(p.Note("n3", "", "alert", "here", 3e4, 3e4, "tell me", "w", "r3"))
    past.forget(told([Forgotten(None, None, 0, False, 1, (own,))], 1e5))
    left = past.snapshot()
    assert [a.key for a in left.alerts] == ["r1/w"]
    assert (left.watches[0].last_text, left.watches[0].last_stamp_ns) == ("", None)


def test_of_a_deleted_time_everything_goes() -> None:
    past = Past()
    for i in range(1, 6):
        past.take(second(i))
        past.take(alert(i))
        past.take(p.Note(f"n{i}", "", "seen", "a cat", i * 1e3 - 500, i * 1e3))
    kept = past.forget(told([Forgotten(2 * 10**9, 4 * 10**9, 0, True, 3)], 1e4))
    left = past.snapshot()
    assert [a.id for a in left.alerts] == ["r1", "r5"]
    assert [n.id for n in left.notes] == ["n1", "n2", "n5"]  # as the memory deletes
    assert kept[""].stamps == {1, 5, 10**9, 5 * 10**9} and kept[""].newest_ns == 5 * 10**9


def test_a_deletion_of_unknown_notes_is_of_everything() -> None:
    assert told([], 1.0).everything
    assert told([Forgotten(None, None, 0, False, 1)], 1.0).everything
    assert told([Forgotten(None, None, 0, True, 1)], 1.0).everything


def test_a_snapshot_replaces_all() -> None:
    past = Past()
    past.take(second(1))
    past.take(alert(1))
    other = p.Snapshot(seconds=(second(5), second(6)), problems=(p.Problem("", "x", 1.0),))
    past.take(other)
    assert past.snapshot() == other


# ---- what waits for a page -----------------------------------------------------------------------


def drained(outgoing: Outgoing) -> list[str | bytes]:
    async def take() -> list[str | bytes]:
        outgoing.close()
        found = []
        while (message := await outgoing.next()) is not None:
            found.append(message)
        return found

    return asyncio.run(take())


def test_events_wait_in_order_and_only_the_newest_of_what_grows() -> None:
    outgoing = Outgoing()
    outgoing.put("one")
    outgoing.put("a", "words")
    outgoing.put_picture(0, b"old")
    outgoing.put("two")
    outgoing.put("a b", "words")
    outgoing.put_picture(0, b"new")
    outgoing.put_picture(1, b"other")
    assert drained(outgoing) == ["one", "two", "a b", b"new", b"other"]


@pytest.mark.parametrize(("most", "most_bytes"), [(10, 10**6), (10**6, 100)])
def test_too_much_that_waits_ends_the_page(most: int, most_bytes: int) -> None:
    outgoing = Outgoing(most, most_bytes)
    for _ in range(10):
        outgoing.put("x" * 10)
    assert not outgoing.overflowed
    outgoing.put("x" * 10)
    assert outgoing.overflowed
    assert not outgoing._texts
    assert drained(outgoing) == []


def test_a_bucket() -> None:
    now = [0.0]
    bucket = Bucket(2.0, 3.0, lambda: now[0])
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    now[0] = 0.5
    assert [bucket.take() for _ in range(2)] == [True, False]
    now[0] = 100.0
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]


# ---- pictures ------------------------------------------------------------------------------------


def test_a_picture_can_be_had_before_and_after_it_is_encoded() -> None:
    kept = Thumbnails()
    kept.put(seen(1, 40, "second"))
    assert kept.get("", 1) is not None  # nothing encodes yet
    kept.open()
    try:
        while kept._waiting:
            pass
        assert kept.get("", 1) is not None
        assert kept.get("", 2) is None
        assert kept.get("left", 1) is None
    finally:
        kept.close()
    assert kept.get("", 1) is None


def test_the_evidence_of_an_alert_is_larger_and_goes_before() -> None:
    kept = Thumbnails()
    large = Seen("", 1, picture(0, 640), "second")
    kept.put(large)
    assert width(kept.get("", 1)) == thumbnails.SMALL
    kept.put(Seen("", 1, large.image, "evidence"))
    assert width(kept.get("", 1)) == 640


def width(jpeg: bytes | None) -> int:
    assert jpeg is not None
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).shape[1]


def test_pictures_are_bounded_in_bytes_and_the_oldest_goes_first() -> None:
    one = len(thumbnails.smaller(picture(), 320))
    shelf = thumbnails._Shelf(3 * one)
    for i in range(10):
        shelf.put(("", i), b"x" * one)
        shelf.put(("", i), b"y" * one)  # the same one again
    assert [key[1] for key in shelf.held] == [7, 8, 9]
    assert shelf.bytes == 3 * one


def test_frames_that_wait_for_the_encoder_are_bounded() -> None:
    kept = Thumbnails()
    for i in range(1000):
        kept.put(seen(i, 0, "second"))
    assert len(kept._waiting) == thumbnails.WAITING
    assert kept.get("", 999) is not None
    many = Thumbnails(40)
    for i in range(100):  # of each camera the newest ones wait, whatever comes of others
        for camera in range(40):
            many.put(seen(i, 0, "second", f"c{camera}"))
    assert len(many._waiting) == 40 * thumbnails.WAITING_EACH
    assert all(many.get(f"c{i}", 99) is not None for i in range(40))


def test_pictures_of_more_cameras_have_more_room() -> None:
    """Regression: with 16 cameras there were pictures of the last three minutes alone."""
    room = [Thumbnails(n)._shelves["second"].most_bytes for n in (1, 4, 16, 200)]
    assert room == [24_000_000, 24_000_000, 96_000_000, 96_000_000]


def test_what_is_no_picture_is_counted() -> None:
    kept = Thumbnails()
    kept.put(Seen("", 1, b"garbage", "second"))
    assert kept.get("", 1) is None
    assert kept.unreadable == 1


def test_a_jpeg_is_sent_on_as_it_came() -> None:
    jpeg = cv2.imencode(".jpg", picture())[1].tobytes()
    assert live(jpeg) is jpeg
    assert live(picture())[:2] == b"\xff\xd8"
