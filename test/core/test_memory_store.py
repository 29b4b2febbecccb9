"""Notes on disk: what comes back, what is found, and what is really gone."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory_rig import START, S, note, numbers, opened, terms

from aura_core.errors import InputError, StoreError
from aura_core.memory import schema
from aura_core.memory.notes import Note, NoteKind
from aura_core.memory.store import Store, Wanted

JPEG = bytes(range(256)) * 200


@pytest.fixture
def store(tmp_path):
    with_notes = opened(tmp_path / "notes.db")
    yield with_notes
    with_notes.close()


def traces(path: Path, *what: str | bytes) -> list[str]:
    """The files of a store that hold one of these."""
    wanted = [w.encode() if isinstance(w, str) else w for w in what]
    return [
        file.name
        for file in sorted(path.parent.iterdir())
        if any(w in file.read_bytes() for w in wanted)
    ]


# ---- what is written comes back ------------------------------------------------------------------


def test_every_field_comes_back_after_a_restart(tmp_path):
    written = Note(
        *("r1-n7", NoteKind.ALERT, "the kettle is boiling; 水开了", 5 * S, 9 * S, START, "r1"),
        *("kitchen", "tell me when it boils", "r1-q2", "r1-r3", JPEG, b"small"),
    )
    with_note = opened(tmp_path / "notes.db")
    with_note.add([written])
    with_note.close()
    again = opened(tmp_path / "notes.db")
    assert again.find(Wanted(pictures=True, thumbnails=True)) == [written]
    assert again.find(Wanted()) == [replace(written, picture=None, thumbnail=None)]
    assert again.find(Wanted(thumbnails=True)) == [replace(written, picture=None)]
    assert again.get("r1-n7") == replace(written, picture=None, thumbnail=None)
    assert again.picture("r1-n7") == JPEG
    assert again.get("r1-n8") is None and again.picture("r1-n8") is None
    again.close()


def test_a_note_whose_id_is_there_stays_as_it_is(store):
    store.add([note(1, "first"), note(1, "second"), note(2)])
    store.add([note(2, "third")])
    assert [n.text for n in store.find(Wanted())] == ["first", "note 2"]
    assert store.check() == []


def test_one_note_that_cannot_be_stored_refuses_all_of_a_call(store):
    with pytest.raises(InputError, match="note run-n2: a time stamp of more than 64 bits"):
        store.add([note(1), replace(note(2), wall_ns=2**63)])
    assert store.count(Wanted()) == 0


def test_texts_that_sqlite_cannot_hold_are_mended(store):
    store.add([note(1, "half \ud800 and nul \0 end")])
    assert store.find(Wanted())[0].text == "half ? and nul   end"
    assert numbers(store.find(Wanted(substring="\ud800 and"))) == [1]


def test_a_note_of_ten_thousand_words(store):
    text = " ".join(f"word{i}" for i in range(10_000))
    store.add([note(1, text), note(2)])
    assert store.find(Wanted(terms=("word9999",)))[0].text == text
    assert store.forget(Wanted(terms=("word1",))) == 1
    assert store.check() == []


def test_small_texts_and_summaries(store):
    store.keep("watches", "[1]")
    store.keep("watches", "[2]")
    assert store.kept("watches") == "[2]" and store.kept("other") is None
    store.drop("watches")
    assert store.kept("watches") is None
    store.add_summary(START, START + 600 * S, "en", "calm")
    assert store.summary(START, START + 600 * S, "en") == "calm"
    assert store.summary(START, START + 600 * S, "zh") is None


def test_in_memory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = opened(":memory:")
    store.add([note(1, "the cat came")])
    assert numbers(store.find(Wanted(terms=("cat",)))) == [1]
    assert store.check() == [] and store.stats().file_bytes == 0
    assert store.forget(None) == 1
    store.close()
    assert list(tmp_path.iterdir()) == []


# ---- search --------------------------------------------------------------------------------------


def test_terms_all_and_any(store):
    store.add(
        [
            note(1, "the cat came"),
            note(2, "the dog came"),
            note(3, "the cat left; the dog left"),
            note(4, "yes", question="is the cat there?"),
            note(5, "nothing"),
        ]
    )
    assert numbers(store.find(Wanted(terms=("cat",)))) == [1, 3, 4]
    assert numbers(store.find(Wanted(terms=("cat", "dog")))) == [3]
    assert numbers(store.find(Wanted(terms=("cat",), newest_first=True, limit=2))) == [4, 3]
    # both terms, then the rarer one ("dog"), then the other; newer ones first
    ranked = Wanted(terms=("cat", "dog", "unknown", "cat"), every=False)
    assert numbers(store.find(ranked)) == [3, 2, 4, 1]
    assert numbers(store.find(replace(ranked, limit=2))) == [3, 2]
    assert store.count(ranked) == 4 and store.count(replace(ranked, every=True)) == 0
    assert store.count(Wanted(terms=("cat",), limit=1)) == 3


def test_of_many_terms_the_rarest_count(store):
    store.add([note(i, " ".join(f"w{k}" for k in range(i + 1))) for i in range(12)])
    asked = tuple(f"w{k}" for k in range(12))
    assert numbers(store.find(Wanted(terms=asked, every=False, limit=3))) == [11, 10, 9]


def test_chinese_words_of_two_characters(store):
    store.add([note(1, "猫跳上桌子"), note(2, "桌上有子弹"), note(3, "狗来了")])
    assert numbers(store.find(Wanted(terms=("桌子",)))) == [1]
    assert numbers(store.find(Wanted(substring="桌子"))) == [1]
    assert numbers(store.find(Wanted(substring="跳上桌"))) == [1]
    assert numbers(store.find(Wanted(terms=("猫",)))) == [1]


def test_parts_of_words_in_any_case(store):
    store.add([note(1, "The Kettle boils"), note(2, "nothing", question="which ketTLE?")])
    assert numbers(store.find(Wanted(substring="ettle"))) == [1, 2]
    assert numbers(store.find(Wanted(substring="tt"))) == [1, 2]
    assert numbers(store.find(Wanted(substring="ettle", terms=("boils",)))) == [1]
    assert store.find(Wanted(substring="kettles")) == []


HOSTILE = [
    *("what's AND NOT", '"', '""', "*", "cat*", "NEAR(cat dog)", "%", "_", "100%", "a_b", "\\"),
    *("terms:cat", "-cat", "^cat", "(", "cat OR dog", "'; DROP TABLE note; --", "{a b}", "+", "\0"),
]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_in_a_question_is_sql_or_fts_syntax(store, text):
    store.add([note(1, f"x {text} y"), note(2, "cat dog axb 1000 percent")])
    held = [1, 2] if text == "\0" else [1]  # it becomes a space
    assert numbers(store.find(Wanted(substring=text))) == held
    store.find(Wanted(terms=(text,)))
    store.find(Wanted(terms=(text, "dog"), every=False))
    store.find(Wanted(stream=text, ids=(text,), terms=(text,), substring=text))
    assert store.get(text) is None and store.kept(text) is None
    assert store.count(Wanted()) == 2 and store.check() == []


@given(st.lists(st.text(max_size=12), max_size=4), st.text(max_size=8), st.booleans())
def test_any_text_can_be_asked(words, part, every):
    store = opened(":memory:")
    store.add([note(i, word) for i, word in enumerate(words)])
    for wanted in (Wanted(terms=tuple(words), every=every), Wanted(substring=part)):
        assert store.count(wanted) >= len(store.find(wanted))
    for i, word in enumerate(words):
        assert i in numbers(store.find(Wanted(substring=word)))
        assert i in numbers(store.find(Wanted(terms=tuple(terms(word)))))
    store.close()


def test_a_span_of_time_holds_what_overlaps_it(store):
    store.add([note(i, at_s=10 * i, long_s=10) for i in range(1, 6)])  # note i: [10 i - 10, 10 i)
    store.add([note(6, at_s=20), note(7, at_s=50, long_s=50)])

    def found(begin_s: float | None, end_s: float | None) -> list[int]:
        begin = None if begin_s is None else START + round(begin_s * S)
        end = None if end_s is None else START + round(end_s * S)
        return numbers(store.find(Wanted(begin_wall_ns=begin, end_wall_ns=end)))

    assert found(10, 20) == [2, 7]  # 6 is at the end, which is excluded; 1 ends at the beginning
    assert found(20, 30) == [6, 3, 7]
    assert found(15, 16) == [2, 7]
    assert found(None, 10) == [1, 7]
    assert found(41, None) == [5, 7]
    assert found(60, 90) == [] and found(-9, 0) == []
    assert found(-(10**12), 10**12) == [1, 2, 6, 3, 4, 5, 7]


@given(
    st.lists(
        st.tuples(st.integers(-50, 50), st.integers(0, 30), st.sampled_from("ab")),
        max_size=12,
    ),
    st.integers(-90, 60),
    st.integers(0, 40),
    st.booleans(),
)
def test_spans_and_order_are_those_of_a_list(spans, begin, length, newest_first):
    """In steps of a tenth of a millisecond, so that rows of the same millisecond meet."""
    step = S // 10_000
    notes = [
        replace(note(i, word), begin_ns=-long * step, end_ns=0, wall_ns=START + end * step)
        for i, (end, long, word) in enumerate(spans)
    ]
    store = opened(":memory:")
    store.add(notes)
    first, last = START + begin * step, START + (begin + length) * step

    def overlaps(n: Note) -> bool:
        after = n.wall_ns > first or n.wall_ns == first == n.begin_wall_ns
        return after and n.begin_wall_ns < last

    for word in ("a", "b"):
        for asked in ({"terms": (word,)}, {"substring": word}):
            wanted = Wanted(
                begin_wall_ns=first, end_wall_ns=last, newest_first=newest_first, **asked
            )
            expected = {n.id for n in notes if overlaps(n) and n.text == word}
            found = store.find(wanted)
            assert {n.id for n in found} == expected
            assert store.count(wanted) == len(expected)
            times = [n.wall_ns for n in found]
            assert times == sorted(times, reverse=newest_first)
    store.close()


def test_kinds_streams_and_ids(store):
    store.add(
        [
            note(1, stream="left"),
            note(2, stream="right", kind=NoteKind.ALERT),
            note(3, kind=NoteKind.NAME, stream="left"),
        ]
    )
    assert numbers(store.find(Wanted(kinds=(NoteKind.ALERT, NoteKind.NAME)))) == [2, 3]
    assert numbers(store.find(Wanted(stream="left"))) == [1, 3]
    assert numbers(store.find(Wanted(stream=""))) == []
    assert numbers(store.find(Wanted(ids=("run-n3", "run-n1", "other")))) == [1, 3]
    assert numbers(store.find(Wanted(ids=("run-n3",), terms=("note",), stream="left"))) == [3]
    assert numbers(store.find(Wanted(limit=0))) == []
    assert numbers(store.find(Wanted(limit=-1, newest_first=True))) == [3, 2, 1]


STREAMS = ("", "left", 'a "b" AND (c', "左")


@pytest.mark.parametrize("stream", [None, *STREAMS])
@pytest.mark.parametrize("many", range(len(NoteKind) + 1))
def test_kinds_and_streams_with_words(store, stream, many):
    kinds = tuple(NoteKind)[::-1][:many]
    notes = [
        note(i, ("cat", "dog", "cat dog")[i % 3], kind=list(NoteKind)[i % 6], stream=STREAMS[i % 4])
        for i in range(36)
    ]
    store.add(notes)
    for terms_of_it, words in ((("cat",), {"cat", "cat dog"}), (("cat", "dog"), {"cat dog"})):
        wanted = Wanted(terms_of_it, kinds=kinds, stream=stream)
        expected = [
            n.id
            for n in notes
            if n.text in words
            and (not kinds or n.kind in kinds)
            and (stream is None or n.stream == stream)
        ]
        assert [n.id for n in store.find(wanted)] == expected
        assert store.count(wanted) == len(expected)
    any_of_them = Wanted(("cat", "dog"), every=False, kinds=kinds, stream=stream)
    without = replace(any_of_them, terms=())
    assert store.count(any_of_them) == store.count(without) == len(store.find(without))
    assert len(store.find(any_of_them)) == len(store.find(without))


def test_a_clock_that_jumps_back(store):
    store.add([note(1, at_s=1000), note(2, at_s=1001)])
    store.add([note(3, at_s=10), note(4, at_s=1001)])  # the second one at the very same time
    assert numbers(store.find(Wanted())) == [3, 1, 2, 4]
    assert numbers(store.find(Wanted(end_wall_ns=START + 500 * S))) == [3]
    assert store.stats().first_wall_ns == START + 10 * S
    assert store.check() == []


def test_frames_whose_stamps_go_back_make_a_note_without_length(store):
    store.add([replace(note(1, at_s=100), begin_ns=200 * S)])
    assert numbers(store.find(Wanted(begin_wall_ns=START, end_wall_ns=START + 101 * S))) == [1]


# ---- vectors -------------------------------------------------------------------------------------


def vector(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def test_vectors_follow_the_file(store, tmp_path):
    ids, matrix = store.vectors()
    assert ids == [] and len(matrix) == 0
    store.add([note(1), note(2)], [vector(1, 2), vector(3, 4)])
    store.add([note(3)])
    ids, matrix = store.vectors()
    assert ids == ["run-n1", "run-n2"] and matrix.tolist() == [[1, 2], [3, 4]]
    store.add([note(4)], [vector(5, 6)])
    assert store.vectors()[1].tolist() == [[1, 2], [3, 4], [5, 6]]
    store.add([note(5, at_s=0.5)], [vector(7, 8)])  # the clock has jumped back
    assert store.vectors()[0] == ["run-n5", "run-n1", "run-n2", "run-n4"]
    beside = opened(store.path, alone=False)  # as a command beside the assistant
    assert beside.forget(Wanted(ids=("run-n1",))) == 1
    beside.close()
    assert store.vectors()[1].tolist() == [[7, 8], [3, 4], [5, 6]]
    store.add_vectors(["run-n2"], [vector(9, 9)])
    assert store.vectors()[1].tolist() == [[7, 8], [9, 9], [5, 6]]
    store.add([note(6)], [vector(1, 2, 3)])  # another embedder
    ids, matrix = store.vectors()
    assert ids == ["run-n6"] and matrix.tolist() == [[1, 2, 3]]
    store.drop_vectors()
    assert store.vectors()[0] == []
    assert store.check() == []


def test_the_version_tells_of_every_change(store):
    seen = [store.version()]
    store.add([note(1)])
    seen.append(store.version())
    beside = opened(store.path, alone=False)
    beside.add([note(2)])
    seen.append(store.version())
    beside.forget(Wanted(ids=("run-n1",)))
    beside.close()
    seen.append(store.version())
    assert len(set(seen)) == 4
    assert store.version() == seen[-1]


# ---- forgetting ----------------------------------------------------------------------------------


@pytest.mark.parametrize("all_of_it", [False, True])
def test_what_is_forgotten_is_really_gone(store, all_of_it):
    store.add([note(i, f"the quiet number {i}") for i in range(50)])
    secret = note(
        60,
        "zanzibarium rosebud; 秘密信号",
        question="who is quetzalcoatl?",
        picture=JPEG,
        thumbnail=b"THUMB" * 9,
    )
    store.add([secret], [vector(*np.arange(64))])
    store.add([note(i, f"the quiet number {i}") for i in range(70, 120)])
    store.add_summary(START + 59 * S, START + 65 * S, "en", "a zanzibarium was named")
    store.add_summary(START, START + 5 * S, "en", "calm")
    store.keep("names", "zanzibarium")
    marks = ("zanzibarium", "osebud", "秘密信号", "quetzal", JPEG[:64], b"THUMB", b"\0\0\0B\0\0")
    assert traces(store.path, *marks)
    store.drop("names")
    wanted = None if all_of_it else Wanted(terms=("rosebud",))
    assert store.forget(wanted) == (101 if all_of_it else 1)
    assert traces(store.path, *marks) == []
    assert store.get(secret.id) is None and store.find(Wanted(substring="zibar")) == []
    assert store.find(Wanted(terms=("rosebud",))) == [] and store.vectors()[0] == []
    assert store.summary(START + 59 * S, START + 65 * S, "en") is None
    assert store.summary(START, START + 5 * S, "en") == (None if all_of_it else "calm")
    assert store.count(Wanted()) == (0 if all_of_it else 100)
    assert store.check() == []
    store.close()
    assert traces(store.path, *marks) == []


def test_forgetting_a_span_takes_no_heed_of_the_limit(store):
    store.add([note(i) for i in range(300)])
    assert store.forget(Wanted(begin_wall_ns=START + 50 * S, end_wall_ns=START + 250 * S)) == 200
    assert store.count(Wanted()) == 100
    assert store.forget(Wanted(ids=("run-n60",))) == 0


def test_everything_takes_the_small_texts_too(store):
    store.keep("watches", "[]")
    assert store.forget(None) == 0
    assert store.kept("watches") is None


def test_a_note_can_be_added_where_one_was_forgotten(store):
    store.add([note(1, "old words")])
    store.forget(Wanted(ids=("run-n1",)))
    store.add([note(1, "new words")])
    assert numbers(store.find(Wanted(terms=("new",)))) == [1]
    assert store.find(Wanted(terms=("old",))) == [] and store.check() == []


def test_a_reader_that_holds_the_old_pages_is_told(store, monkeypatch):
    monkeypatch.setattr("aura_core.memory.database.BUSY_MS", 50)
    store.reopen()
    store.add([note(1)])
    reader = sqlite3.connect(store.path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM note").fetchone()
    with pytest.raises(StoreError, match="1 notes are forgotten, but their traces are still in"):
        store.forget(None)
    reader.execute("COMMIT")
    assert store.forget(None) == 0
    reader.close()


# ---- retention -----------------------------------------------------------------------------------


def test_what_somebody_has_deleted_is_told_and_retention_is_not(store):
    store.add([note(i) for i in range(9)])
    assert store.trim(1.0, 1000.0, START + 90_000 * S) == 9 and store.forgotten(0) == (0, [])
    store.add([note(i) for i in range(9)])
    store.forget(Wanted(begin_wall_ns=START, end_wall_ns=START + 2 * S))
    store.forget(Wanted(ids=("run-n7",)))
    store.forget(Wanted(ids=("nobody",)))
    store.forget(None)
    number, (span, one, everything) = store.forgotten(0)
    assert number == 3 and store.heeded == 0
    assert (span.begin_wall_ns, span.end_wall_ns) == (START, START + 2 * S) and span.by_time
    assert not span.everything and span.deleted == 2
    assert (one.by_time, one.deleted) == (False, 1)
    assert [(n.ids[0], n.end_wall_ns) for n in one.notes] == [("run-n7", note(7).wall_ns)]
    assert everything.everything and everything.deleted == 6
    assert store.forgotten(2) == (3, [everything]) and store.forgotten(3) == (3, [])
    store.heed(3)
    assert store.heeded == 3
    for _ in range(70):  # more than are told: all that may have been
        store.forget(Wanted(begin_wall_ns=START, end_wall_ns=START + 2 * S))
    assert store.forgotten(3)[1][-1].everything and store.forgotten(10)[0] == 73
    assert len(store.forgotten(10)[1]) == 63


def test_deletions_are_counted_and_nothing_else_is(store):
    store.add([note(i) for i in range(3)])
    store.add([note(9, at_s=1)])  # among others
    before = store.deletions
    assert store.forget(Wanted(ids=("run-n7",))) == 0 and store.deletions == before
    for wanted in (Wanted(ids=("run-n1",)), None):
        assert store.forget(wanted)
        assert store.deletions > before
        before = store.deletions


def test_retention_by_age(store):
    day = 86_400
    store.add([note(i, at_s=i * day / 2) for i in range(20)])
    store.add_summary(START, START + day * S, "en", "the first day")
    assert store.trim(3.0, 100.0, START + 10 * day * S) == 14
    assert numbers(store.find(Wanted())) == [14, 15, 16, 17, 18, 19]
    assert store.summary(START, START + day * S, "en") is None
    assert store.trim(3.0, 100.0, START + 10 * day * S) == 0
    assert store.check() == []


def test_retention_by_size(store):
    rng = random.Random(0)
    store.add([note(i, picture=rng.randbytes(50_000)) for i in range(100)])
    size = store.stats().file_bytes
    deleted = store.trim(30.0, 2.0, START)
    left = numbers(store.find(Wanted(limit=-1)))
    assert left == list(range(deleted, 100)) and 30 < len(left) <= 40
    assert store.stats().picture_bytes <= 2_000_000 and store.check() == []
    assert store.trim(30.0, 2.0, START) == 0
    store.close()
    assert store.path.stat().st_size < size // 2  # it is smaller for the file system too


def test_words_leave_the_search_index_once_enough_was_deleted(store, monkeypatch):
    store.add([note(i, f"unicornium{i}") for i in range(20)])
    store.trim(1.0, 100.0, START + 86_400 * S + 5 * S)
    monkeypatch.setattr("aura_core.memory.store.UNMERGED", 10)
    store.trim(1.0, 100.0, START + 86_400 * S + 12 * S)
    store.close()
    assert traces(store.path, "unicornium11") == [] != traces(store.path, "unicornium12")


# ---- files that cannot be used -------------------------------------------------------------------


def test_files_are_for_their_owner_alone(tmp_path):
    old = os.umask(0)
    try:
        store = opened(tmp_path / "deep" / "er" / "notes.db")
        store.add([note(1)])
        files = sorted(store.path.parent.iterdir())
    finally:
        os.umask(old)
    modes = {f.name: stat.S_IMODE(f.stat().st_mode) for f in files}
    assert modes == dict.fromkeys(
        ("notes.db", "notes.db-shm", "notes.db-wal", "notes.db.lock"), 0o600
    )
    assert stat.S_IMODE(store.path.parent.stat().st_mode) == 0o700
    store.close()


def test_a_second_assistant_is_refused_and_a_command_is_not(store):
    with pytest.raises(StoreError) as refused:
        opened(store.path)
    assert str(refused.value) == (
        f"{store.path}: another assistant writes its notes there (process {os.getpid()}); give this"
        " one another memory.path"
    )
    beside = opened(store.path, alone=False)
    beside.add([note(1)])
    beside.close()
    assert store.count(Wanted()) == 1
    store.close()
    opened(store.path).close()


def test_a_link_to_the_file_of_an_assistant_is_refused_too(store, tmp_path):
    link = tmp_path / "link.db"
    link.symlink_to(store.path)
    with pytest.raises(StoreError, match="another assistant writes its notes there"):
        Store.open(link)


def test_a_reader_beside_a_writer(store):
    store.add([note(1)])
    reader = opened(store.path, read_only=True)
    store.add([note(2)])
    assert numbers(reader.find(Wanted())) == [1, 2]
    with pytest.raises(StoreError, match="readonly"):
        reader.add([note(3)])
    with pytest.raises(StoreError, match="readonly"):
        reader.forget(None)
    assert reader.check() == []
    reader.close()
    with pytest.raises(StoreError, match="is closed"):
        reader.find(Wanted())


def test_a_writer_does_not_keep_a_reader_waiting(store):
    store.add([note(1)])
    with store._transaction() as db:
        db.execute("DELETE FROM kept")
        assert numbers(store.find(Wanted())) == [1]


def test_many_threads(store):
    def work(k: int) -> None:
        for i in range(20):
            store.add([note(100 * k + i)])
            store.find(Wanted(terms=("note",), every=False))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.count(Wanted()) == 80 and store.check() == []


def refused(path: Path, **more: object) -> str:
    with pytest.raises(StoreError) as e:
        opened(path, **more)
    assert str(path) in str(e.value)
    return str(e.value)


def test_files_of_others_are_left_alone(tmp_path):
    text = tmp_path / "text.db"
    text.write_text("these are my recipes\n" * 100)
    assert "not a file of notes; name another file" in refused(text)
    assert text.read_text() == "these are my recipes\n" * 100
    other = tmp_path / "other.db"
    db = sqlite3.connect(other)
    db.execute("CREATE TABLE recipe (text)")
    db.commit()
    db.close()
    before = other.read_bytes()
    assert "a database, but not one of notes" in refused(other)
    assert other.read_bytes() == before
    assert "is a folder; name a file" in refused(tmp_path)


def test_paths_that_cannot_be(tmp_path):
    with pytest.raises(StoreError, match="cannot be looked at: File name too long; name another"):
        Store.open(tmp_path / ("x" * 300))
    with pytest.raises(StoreError, match="there is no such user"):
        Store.open("~nobody-here/notes.db")


def test_missing_files(tmp_path):
    assert "there is no such file of notes" in refused(tmp_path / "a" / "b.db", read_only=True)
    assert "there is no such file of notes" in refused(tmp_path / "a" / "b.db", create=False)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    assert "cannot be made" in refused(tmp_path / "file" / "b.db")
    (tmp_path / "empty.db").write_text("")
    assert "nothing was written here yet" in refused(tmp_path / "empty.db", read_only=True)


def test_a_newer_file_is_left_as_it_is(store):
    store.close()
    db = sqlite3.connect(store.path)
    db.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    db.close()
    before = store.path.read_bytes()
    said = refused(store.path)
    assert f"written by a newer aura_ros (version {schema.VERSION + 1}," in said
    assert "written by a newer" in refused(store.path, read_only=True)
    assert store.path.read_bytes() == before


def test_a_damaged_file(store):
    store.add([note(i, "some words " * 20) for i in range(500)])
    store.close()
    data = bytearray(store.path.read_bytes())
    size = 4096
    for page in range(len(data) // size // 2, len(data) // size):
        data[page * size : page * size + 64] = b"\xa5" * 64
    store.path.write_bytes(data)
    broken = opened(store.path)
    with pytest.raises(StoreError, match="damaged; move the file away"):
        broken.find(Wanted(limit=-1))
    assert broken.check()
    broken.close()


def test_a_search_index_that_is_not_in_step_is_found(store):
    store.add([note(1), note(2)])
    db = sqlite3.connect(store.path)
    db.execute("DELETE FROM terms WHERE rowid IN (SELECT n FROM note WHERE id = 'run-n1')")
    db.commit()
    db.close()
    assert store.check() == ["search index terms: 1 rows for 2 notes"]


def test_a_truncated_file(store):
    store.add([note(i, "some words " * 20) for i in range(500)])
    store.close()
    with store.path.open("r+b") as f:
        f.truncate(store.path.stat().st_size // 2)
    with pytest.raises(StoreError, match="damaged"):
        broken = opened(store.path)
        try:
            broken.find(Wanted(limit=-1))
        finally:
            broken.close()


def test_a_full_disk(store):
    store.add([note(1)])
    with store._write() as db:
        pages = db.execute("PRAGMA page_count").fetchone()[0]
        db.execute(f"PRAGMA max_page_count = {pages + 5}")
    with pytest.raises(StoreError, match=r"notes\.db: no space left; free some, or lower"):
        store.add([note(2), note(3, picture=bytes(100_000))])
    assert numbers(store.find(Wanted())) == [1]
    with store._write() as db:
        db.execute("PRAGMA max_page_count = 1000000")
    store.add([note(2)])
    assert store.count(Wanted()) == 2 and store.check() == []


def test_a_file_that_is_removed_while_it_is_open(store):
    store.add([note(1)])
    for file in list(store.path.parent.iterdir()):
        file.unlink()
    assert store.moved
    with pytest.raises(StoreError, match="was removed or replaced while it was open"):
        store.add([note(2)])
    store.reopen()
    store.add([note(3)])
    assert numbers(store.find(Wanted())) == [3] and not store.moved


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_read_only(store):
    store.add([note(1)])
    store.close()
    (store.path.parent / "notes.db.lock").unlink()
    store.path.parent.chmod(0o500)
    try:
        refused(store.path)
        reader = opened(store.path, read_only=True)
        assert numbers(reader.find(Wanted())) == [1]
        reader.close()
    finally:
        store.path.parent.chmod(0o700)


def test_a_read_only_medium(store, monkeypatch):
    """Where SQLite cannot make its files beside the database."""
    from aura_core.memory import database

    store.add([note(1)])
    store.close()
    connect = database.connect

    def refuse(address: str, uri: bool = False) -> sqlite3.Connection:
        if "immutable" not in address:
            raise sqlite3.OperationalError("unable to open database file")
        return connect(address, uri)

    monkeypatch.setattr(database, "connect", refuse)
    reader = opened(store.path, read_only=True)
    assert numbers(reader.find(Wanted())) == [1]
    reader.close()
    assert "unable to open database file" in refused(store.path)


# ---- other versions ------------------------------------------------------------------------------


def test_an_older_file_is_converted(store, monkeypatch):
    store.add([note(1, "the cat came")])
    store.close()
    monkeypatch.setattr(schema, "VERSION", schema.VERSION + 1)
    steps = ("ALTER TABLE note ADD COLUMN mood TEXT", "UPDATE note SET mood = 'calm'")
    monkeypatch.setattr(schema, "MIGRATIONS", {schema.VERSION - 1: steps})
    assert "written by an older aura_ros" in refused(store.path, read_only=True)
    again = opened(store.path)
    assert numbers(again.find(Wanted(terms=("cat",)))) == [1]
    again.close()
    db = sqlite3.connect(store.path)
    assert db.execute("SELECT mood FROM note").fetchall() == [("calm",)]
    assert schema.state(db) == (schema.APPLICATION_ID, schema.VERSION)
    db.close()


def test_a_conversion_that_fails_leaves_the_file_as_it_was(store, monkeypatch):
    store.add([note(1)])
    store.close()
    monkeypatch.setattr(schema, "VERSION", schema.VERSION + 1)
    steps = ("ALTER TABLE note ADD COLUMN mood TEXT", "UPDATE nowhere SET mood = 'calm'")
    monkeypatch.setattr(schema, "MIGRATIONS", {schema.VERSION - 1: steps})
    assert "no such table: nowhere" in refused(store.path)
    monkeypatch.undo()
    again = opened(store.path)
    assert numbers(again.find(Wanted())) == [1] and again.check() == []
    again.close()


def test_every_older_version_has_a_way():
    assert set(schema.MIGRATIONS) == set(range(1, schema.VERSION))


def test_other_index_terms_make_the_index_anew(tmp_path, monkeypatch):
    words = pytest.importorskip("aura_core.memory.words")
    store = Store.open(tmp_path / "notes.db")
    store.add([note(1, "the cat came")])
    store.close()
    monkeypatch.setattr(words, "VERSION", words.VERSION + 1)
    monkeypatch.setattr(words, "terms", lambda text: [f"x{word}" for word in text.split()])
    again = Store.open(tmp_path / "notes.db")
    assert numbers(again.find(Wanted(terms=("xcat",)))) == [1]
    assert again.find(Wanted(terms=("cat",))) == [] and again.check() == []
    again.close()


# ---- a process that is killed --------------------------------------------------------------------

WRITER = """
import sys
from memory_rig import note, opened
store = opened(sys.argv[1])
i = store.count(__import__("aura_core.memory.store", fromlist=["Wanted"]).Wanted())
print("ready", flush=True)
while True:
    batch = [note(i + k, picture=bytes(3000)) for k in range(3)]
    store.add(batch)
    i += 3
    print(i, flush=True)
"""


def killed(path: Path, after_s: float) -> int:
    """The number of notes that a writer has told as committed before it was killed."""
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True, env=env
    )
    assert writer.stdout is not None and writer.stdout.readline() == "ready\n"
    first = writer.stdout.readline()  # also where the machine is slow something is committed
    time.sleep(after_s)
    writer.send_signal(signal.SIGKILL)
    told = (first + writer.stdout.read()).split("\n")[:-1]  # the last line may be cut off
    writer.wait()
    return int(told[-1])


def kill_again_and_again(path: Path, times: int) -> None:
    rng = random.Random(7)
    committed = 0
    for _ in range(times):
        committed = max(committed, killed(path, rng.uniform(0.0, 0.25)))
        store = opened(path)
        found = numbers(store.find(Wanted(limit=-1)))
        assert found == list(range(len(found))), "a note is missing"
        assert committed <= len(found) and len(found) % 3 == 0
        assert store.check() == []
        committed = len(found)
        store.close()
    assert committed >= 3 * times


def test_a_writer_that_is_killed_loses_nothing_committed(tmp_path):
    kill_again_and_again(tmp_path / "notes.db", 8)


@pytest.mark.slow
def test_a_writer_that_is_killed_fifty_times(tmp_path):
    kill_again_and_again(tmp_path / "notes.db", 50)
