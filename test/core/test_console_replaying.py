"""A run, a bag and a recording in the page: each decision with its frame, seek and play."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from aura_core.config import AssistantConfig
from aura_core.console import protocol as p
from aura_core.console.film import Film, Shot
from aura_core.console.replaying import Replay, open_replay
from aura_core.console.robot import Seen
from aura_core.console.tape import Tape, read_tape
from aura_core.console.topics import Topics
from aura_core.errors import InputError
from aura_core.memory.pictures import decoded
from aura_core.models.scripted import ScriptedBackend
from aura_core.replay.html import Scrub
from aura_core.replay.lockstep import Asked, Lockstep, drive, insert
from aura_core.replay.writer import write_bag
from aura_core.stream.engine import StreamEngine
from aura_core.types import NS, Frame

ROOT = Path(__file__).resolve().parents[2]
WATCH = "Tell me whenever the brightness changes."
START = 1_700_000_000 * NS


def frames(seconds: int) -> list[Frame]:
    """A second is as grey as its number says; the scripted model tells of changes."""
    return [
        Frame(np.full((8, 8, 3), 60 * (k // 2), np.uint8), START + k * NS // 2)
        for k in range(2 * seconds)
    ]


@pytest.fixture
def run(tmp_path: Path) -> tuple[Path, Path]:
    """The JSON lines of a run over a bag, and the bag."""
    bag, file = tmp_path / "bag", tmp_path / "run.jsonl"
    write_bag(bag, frames(4))
    lockstep = Lockstep(StreamEngine(ScriptedBackend(), AssistantConfig()))
    asked = [Asked(WATCH, 0.0), Asked("what is it?", 1.0)]
    with file.open("w") as out:
        for step in drive(lockstep, insert(frames(4), asked)):
            out.write(json.dumps(step.as_json()) + "\n")
    return file, bag


def of(tape: Tape, kind: type) -> list[Any]:
    return [event for _, event in tape.events if isinstance(event, kind)]


def grey(jpeg: bytes | None) -> int:
    assert jpeg is not None
    return round(float(decoded(jpeg).mean()))


def test_every_decision_of_a_run_has_its_frame(run: tuple[Path, Path]) -> None:
    file, bag = run
    tape = read_tape(file, str(bag))
    seconds = of(tape, p.Second)
    assert [s.chunk for s in seconds] == [json.loads(line)["chunk"] for line in file.open()]
    for second in seconds:
        assert abs(grey(tape.film.picture("", second.stamp_ns)) - 60 * second.chunk) <= 2
    texts = {asked.id: asked for asked in of(tape, p.Asked)}
    assert {(a.text, a.watch) for a in texts.values()} == {(WATCH, True), ("what is it?", False)}
    alerts = of(tape, p.Alert)
    assert alerts and all(a.instruction == WATCH and a.watch_id in texts for a in alerts)
    assert {s.response_id for s in seconds if s.state == "speak"} == {
        s.id for s in of(tape, p.Said)
    }
    assert tape.notice == ""
    tape.film.close()


def test_a_run_without_frames_says_so(run: tuple[Path, Path]) -> None:
    tape = read_tape(run[0])
    assert "--frames" in tape.notice and tape.film.picture("", START) is None


def test_a_reports_link_names_the_run_as_the_console_does(run: tuple[Path, Path]) -> None:
    """The page compares both: it does not jump in another recording."""
    lines, bag = run
    named = lines.rename(lines.with_name("a run & more.jsonl"))
    fragment = urlsplit(Scrub(named, bag).link(3)).fragment
    tape = read_tape(named)
    assert parse_qs(fragment) == {"run": [tape.title], "at": ["3"]}


def test_the_frames_of_a_run_may_be_those_of_the_simulator(run: tuple[Path, Path]) -> None:
    tape = read_tape(run[0], "sim:500001")
    shots = tape.film.shots[""]
    assert [s.stamp_ns for s in shots[:3]] == [0, NS // 2, NS]
    assert decoded(tape.film.picture("", NS)) is not None
    tape.film.close()


@pytest.mark.parametrize("frames", ["gone", "rtsp:///"])
def test_frames_that_cannot_be_read_are_refused(run: tuple[Path, Path], frames: str) -> None:
    with pytest.raises(InputError, match=frames.partition(":")[0]):
        read_tape(run[0], frames)


# ---- bags ----------------------------------------------------------------------------------------


STORE = get_typestore(Stores.ROS2_HUMBLE)
for _name in ("Evidence", "Heartbeat", "Response", "Alert", "Asked", "Watch", "Watches", "Note"):
    _text = (ROOT / "msg" / f"{_name}.msg").read_text()
    STORE.register(get_types_from_msg(_text, f"aura_ros/msg/{_name}"))


DEFAULTS = {"string": "", "bool": False, "float32": 0.0, "float64": 0.0}


def message(type_: str, /, stamp_ns: int = 0, **given: Any) -> Any:
    """A message of this package, with defaults where nothing is given."""
    name = f"aura_ros/msg/{type_}"
    fields: dict[str, Any] = {}
    for field, (_, kind) in STORE.fielddefs[name][1]:
        if kind == "std_msgs/msg/Header":
            fields[field] = header(stamp_ns)
        elif kind == "builtin_interfaces/msg/Time":
            fields[field] = time(0)
        elif kind[0] in DEFAULTS:
            fields[field] = DEFAULTS[kind[0]]
        elif isinstance(kind[0], tuple):  # a list
            fields[field] = np.zeros(0, np.uint8) if field == "thumbnail" else []
        else:
            fields[field] = 0
    assert set(given) <= set(fields)
    return STORE.types[name](**fields | given)


def time(ns: int) -> Any:
    return STORE.types["builtin_interfaces/msg/Time"](*divmod(ns, NS))


def header(ns: int) -> Any:
    return STORE.types["std_msgs/msg/Header"](time(ns), "c")


def robots_bag(path: Path, storage: StoragePlugin = StoragePlugin.MCAP) -> Path:
    """A bag of a robot: images, a question, an answer in its second, a watch, an alert, a note."""
    with Writer(path, version=9, storage_plugin=storage) as bag:

        def topic(name: str, kind: str) -> Any:
            return bag.add_connection(name, kind, typestore=STORE)

        made = {
            "Image": topic("/image_raw", "sensor_msgs/msg/Image"),
            **{
                kind: topic(f"/aura/{kind.lower()}", f"aura_ros/msg/{kind}")
                for kind in ("Heartbeat", "Response", "Alert", "Asked", "Watches", "Note")
            },
        }

        def write(kind: str, at_ns: int, msg: Any) -> None:
            bag.write(made[kind], at_ns, STORE.serialize_cdr(msg, made[kind].msgtype))

        image = STORE.types["sensor_msgs/msg/Image"]
        for k in range(8):
            stamp, level = START + k * NS // 2, 60 * (k // 2)
            pixels = np.full(8 * 8 * 3, level, np.uint8)
            write("Image", stamp + 1000, image(header(stamp), 8, 8, "rgb8", 0, 24, pixels))
            if k % 2 == 0:
                continue
            chunk, late = k // 2, stamp + NS // 5
            if chunk == 1:
                asked = {"query_id": "q1", "text": "what is it?", "kind": "real-time"}
                write("Asked", late - 2, message("Asked", source="aura/ask", **asked))
                said = {"id": "r1", "text": "A cup.", "kind": "real-time", "query_id": "q1"}
                words = message("Response", **(said | {"text": "A"}), stamp_ns=stamp)
                write("Response", late - 1, words)
                # the heartbeat comes before the words of its second are complete
                final = message("Response", **said, stamp_ns=stamp, final=True, decide_ms=40.0)
                write("Response", late + 5_000_000, final)
            if chunk == 2:
                told = {"id": "r2", "text": "It fell.", "watch_id": "w1", "stamp_ns": stamp}
                alert = message(
                    "Alert",
                    **told,
                    instruction="tell me",
                    kind="proactive",
                    severity="warning",
                    confidence=0.75,
                )
                watch = message("Watch", id="w1", text="tell me", kind="proactive", answers=1)
                words = message(
                    "Response",
                    id="r2",
                    text="It fell.",
                    kind="proactive",
                    query_id="w1",
                    stamp_ns=stamp,
                    final=True,
                )
                write("Response", late - 3, words)
                write("Alert", late - 2, alert)
                write("Watches", late - 1, message("Watches", watches=[watch]))
            beat = message(
                "Heartbeat",
                chunk=chunk,
                stamp_ns=stamp,
                p_silent=0.5,
                step_ms=100.0,
                state="silent" if chunk in (0, 3) else "speaking",
                reason="min_gap" if chunk == 3 else "",
                suppressed="cooldown" if chunk == 0 else "",
                window_chunks=3 - chunk,
                window_max=60,
                window_tokens=90,
                switched=chunk > 0,
                chunks_missed=chunk,
            )
            write("Heartbeat", late, beat)
        failed = message("Heartbeat", chunk=4, state="error", detail="the model failed")
        write("Heartbeat", START + 5 * NS, failed)
        refused = message(
            "Response",
            id="x1",
            text="I cannot answer that.",
            query_id="q1",
            final=True,
            refused=True,
        )
        write("Response", START + 5 * NS + 1, refused)
        note = message("Note", id="n1", kind="seen", text="a cup", stamp_ns=2 * NS)
        note.begin, note.wall = time(NS), time(START)
        write("Note", START + 5 * NS + 2, note)
    return path


@pytest.mark.parametrize("storage", [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
def test_a_bag_of_a_robot_shows_its_decisions_with_their_frames(
    tmp_path: Path, storage: StoragePlugin
) -> None:
    tape = read_tape(robots_bag(tmp_path / "bag", storage))
    seconds = of(tape, p.Second)
    assert [(s.chunk, s.state, s.response_id, s.query_id) for s in seconds] == [
        (0, "silent", "", ""),
        (1, "speak", "r1", "q1"),
        (2, "speak", "r2", ""),
        (3, "silent", "", ""),
    ]
    assert [(s.missed, s.switched, s.window_max) for s in seconds] == [
        (0, False, 60),
        (1, True, 60),
        (1, True, 60),
        (1, True, 60),
    ]
    assert seconds[1].decide_ms == 40.0
    for second in seconds:
        assert abs(grey(tape.film.picture("", second.stamp_ns)) - 60 * second.chunk) <= 2
    (alert,) = of(tape, p.Alert)
    assert (alert.key, alert.instruction, alert.severity) == ("r2/w1", "tell me", "warning")
    (watches,) = of(tape, p.Watches)
    (watch,) = watches.watches
    assert (watch.open, watch.cancelled, watch.last_text) == (False, False, "It fell.")
    assert watch.last_stamp_ns == alert.stamp_ns
    (refused,) = of(tape, p.Refused)
    assert (refused.id, refused.text) == ("q1", "what is it?")
    (note,) = of(tape, p.Note)
    assert (note.end_ms, note.end_ms - note.begin_ms) == (START / 1e6, 1000.0)
    assert [problem.text for problem in of(tape, p.Problem)] == ["the model failed"]
    assert tape.notice == ""
    tape.film.close()


def test_a_bag_without_decisions_says_how_to_make_them(run: tuple[Path, Path]) -> None:
    tape = read_tape(run[1])
    assert "aura replay BAG --out" in tape.notice
    assert len(tape.film.shots[""]) == 8
    tape.film.close()


def test_a_bag_with_its_own_frames_needs_no_others(run: tuple[Path, Path]) -> None:
    with pytest.raises(InputError, match="a bag has its own frames"):
        read_tape(run[1], "sim:1")


def test_what_a_killed_recorder_has_written_by_halves_is_taken_back(tmp_path: Path) -> None:
    """A hot journal: the pages of an unfinished transaction are in the file."""
    import sqlite3

    bag = robots_bag(tmp_path / "bag", StoragePlugin.SQLITE3)
    (file,) = bag.glob("*.db3")
    (bag / "metadata.yaml").unlink()
    whole = file.read_bytes()
    opened = sqlite3.connect(file, isolation_level=None)
    opened.execute("PRAGMA cache_size = 1")
    opened.execute("BEGIN")
    opened.execute("DELETE FROM messages")
    opened.execute("INSERT INTO messages VALUES (1, 1, 5, randomblob(400000))")
    journal = file.with_name(file.name + "-journal")
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    assert file.read_bytes() != whole, "the half is in the file"
    (crashed / file.name).write_bytes(file.read_bytes())
    (crashed / journal.name).write_bytes(journal.read_bytes())
    opened.close()
    tape = read_tape(crashed)
    assert len(of(tape, p.Second)) == 4
    tape.film.close()


# ---- damaged recordings --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        '{"type": "snapshot", "written_ms": 1, "conversation": [5]}',
        '{"type": "asked", "written_ms": 1' + "0" * 400 + "}",
        '{"type": "frame", "camera": "", "stamp_ns": "1", "written_ms": NaN}',
        '{"type": "frame", "camera": "", "stamp_ns": "1", "written_ms": 1e17}',
    ],
)
def test_a_line_that_is_none_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "events.jsonl").write_text(
        json.dumps({"type": "recording", "cameras": [{"name": ""}]}) + "\n" + line + "\n"
    )
    with pytest.raises(InputError, match="line 2: "):
        read_tape(tmp_path / "events.jsonl")


@pytest.mark.parametrize("field", ["stamp_ns", "p_silent"])
def test_a_number_of_a_run_that_is_too_large_is_named(run: tuple[Path, Path], field: str) -> None:
    file = run[0]
    first, *rest = file.read_text().splitlines()
    file.write_text("\n".join([json.dumps(json.loads(first) | {field: 10**400}), *rest]))
    with pytest.raises(InputError, match="line 1 is no step of a run"):
        read_tape(file)


# ---- why it was silent ---------------------------------------------------------------------------


def test_a_robots_second_has_the_reason_for_its_silence(tmp_path: Path) -> None:
    tape = read_tape(robots_bag(tmp_path / "bag"))
    seconds = [e for _, e in tape.events if isinstance(e, p.Second)]
    assert [(s.reason, s.suppressed) for s in seconds if s.state == "silent"] == [
        ("", "cooldown"),
        ("min_gap", ""),
    ]
    assert {s.window_tokens for s in seconds} == {90}
    tape.film.close()


def test_a_heartbeat_of_an_older_recording_lacks_what_it_did_not_tell() -> None:
    topics = Topics()
    newer = ("reason", "suppressed", "decide_ms", "window_tokens", "switched")
    seconds: list[p.Second] = []
    for window_chunks in (9, 3):
        beat = message("Heartbeat", state="silent", window_chunks=window_chunks)
        kept = {n: getattr(beat, n) for n in beat.__dataclass_fields__ if n not in newer}
        seconds += topics.heartbeat(SimpleNamespace(**kept), 0.0)
    assert [(s.reason, s.switched) for s in seconds] == [("", False), ("", True)]


# ---- words and heartbeats come in any order ------------------------------------------------------


def test_a_second_whose_words_do_not_come_is_told_without_them() -> None:
    topics = Topics()
    beat = message("Heartbeat", chunk=3, state="speaking", stamp_ns=START)
    assert topics.heartbeat(beat, 0.0) == []
    assert topics.late(299.0) == []
    (second,) = topics.late(301.0)
    assert (second.chunk, second.response_id) == (3, "")
    next_beat = message("Heartbeat", chunk=4, state="speaking", stamp_ns=START + NS)
    assert topics.heartbeat(next_beat, 1000.0) == []
    silent = message("Heartbeat", chunk=5, state="silent", stamp_ns=START + 2 * NS)
    assert [s.chunk for s in topics.heartbeat(silent, 1100.0)] == [4, 5]


def test_a_cancelled_watch_is_told_from_one_that_has_answered() -> None:
    def closed(**given: Any) -> p.Watch:
        watches = SimpleNamespace(
            watches=[message("Watch", id="w", kind="multi-response", **given)]
        )
        (told,) = Topics().watches(watches, 0.0)
        return told.watches[0]

    assert closed(answers=1).cancelled
    assert not closed(answers=2, limit=2).cancelled
    assert not closed(answers=1, open=True).cancelled


# ---- the robot -----------------------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.s = 0.0

    def __call__(self) -> float:
        return self.s


class Listener:
    def __init__(self, robot: Replay) -> None:
        self.told: list[Any] = []
        self._changed = threading.Condition()
        robot.listen(self)

    def __call__(self, told: Any) -> None:
        with self._changed:
            self.told.append(told)
            self._changed.notify_all()

    def until(self, found: Any) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: found(self.told), 20)

    def of(self, kind: type) -> list[Any]:
        return [t for t in self.told if isinstance(t, kind)]


class Numbers(Film):
    """A film whose pictures are their stamps."""

    def _read(self, camera: str, stamp_ns: int) -> bytes:
        if stamp_ns == 3:
            raise InputError("the image is damaged")
        return str(stamp_ns).encode()


def tape_of_ten() -> Tape:
    def second(k: int) -> p.Second:
        return p.Second("", k, k, k * 1000.0, "silent", 0.5, window_chunks=k)

    events: list[tuple[float, p.Event]] = [(k * 1000.0, second(k)) for k in range(10)]
    events.insert(5, (4500.0, p.Asked("q", "", "why?", "run", False, 4500.0)))
    shots = {"": [Shot(k * 1000.0, k) for k in range(10)]}
    return Tape("ten", (p.Camera("", "ten"),), events, Numbers(shots))


@pytest.fixture
def ten() -> Iterator[tuple[Replay, Listener, Clock]]:
    clock = Clock()
    robot = Replay(tape_of_ten(), clock)
    listener = Listener(robot)
    robot.open()
    yield robot, listener, clock
    robot.close()


Ten = tuple[Replay, Listener, Clock]


def test_a_recording_begins_at_its_beginning_and_stands(ten: Ten) -> None:
    robot, listener, _ = ten
    (snapshot,) = listener.of(p.Snapshot)
    assert [s.chunk for s in snapshot.seconds] == [0]
    assert listener.of(p.Playback) == [p.Playback(0.0, 9000.0, 0.0, False, 1.0)]
    assert [s.image for s in listener.of(Seen)] == [b"0"]
    assert robot.marks() == (p.Mark(4500.0, "question", "why?"),)
    assert robot.abilities()["replay"] == "" and robot.abilities()["ask"]
    with pytest.raises(InputError, match="this is a recording"):
        robot.ask(p.Ask("why?"))


def test_a_seek_shows_what_was_known_then(ten: Ten) -> None:
    robot, listener, _ = ten
    robot.seek(p.Seek(5000.0))
    snapshot = listener.of(p.Snapshot)[-1]
    assert [s.chunk for s in snapshot.seconds] == [0, 1, 2, 3, 4, 5]
    assert [a.id for a in snapshot.conversation] == ["q"]
    assert listener.of(Seen)[-1].stamp_ns == 5
    assert robot.camera_status()[0].window_chunks == 5
    robot.seek(p.Seek(2000.0))
    snapshot = listener.of(p.Snapshot)[-1]
    assert [s.chunk for s in snapshot.seconds] == [0, 1, 2] and not snapshot.conversation
    robot.seek(p.Seek(1e12))
    assert robot.playback().at_ms == 9000.0
    assert robot.picture(p.Picture(7)) == b"7"
    assert robot.picture(p.Picture(70)) == b"9" and robot.picture(p.Picture(-1)) is None


def test_a_frame_that_cannot_be_read_is_told(ten: Ten) -> None:
    robot, listener, _ = ten
    robot.seek(p.Seek(3000.0))
    assert [problem.text for problem in listener.of(p.Problem)] == ["the image is damaged"]


def test_it_plays_at_its_speed_to_its_end_and_again(ten: Ten) -> None:
    robot, listener, clock = ten
    robot.play(p.Play(True, 2.0))
    clock.s = 1.0
    listener.until(lambda told: any(isinstance(t, p.Second) and t.chunk == 2 for t in told))
    assert [s.chunk for s in listener.of(p.Second)] == [1, 2]
    listener.until(lambda told: told and any(isinstance(t, Seen) and t.stamp_ns == 2 for t in told))
    clock.s = 100.0
    listener.until(lambda told: p.Playback(0.0, 9000.0, 9000.0, False, 2.0) in told)
    assert [s.chunk for s in listener.of(p.Second)] == list(range(1, 10))
    assert len(listener.of(p.Asked)) == 1
    robot.play(p.Play(True))
    assert listener.of(p.Snapshot)[-1].seconds[-1].chunk == 0
    robot.play(p.Play(False))
    assert not robot.playback().playing


def test_an_empty_recording_stands_at_zero() -> None:
    robot = Replay(Tape("", (p.Camera("", ""),), [], Film()))
    listener = Listener(robot)
    robot.open()
    robot.play(p.Play(True))
    robot.seek(p.Seek(5.0))
    robot.close()
    assert listener.of(p.Snapshot)


def test_a_path_is_opened(run: tuple[Path, Path]) -> None:
    robot = open_replay(run[0], str(run[1]))
    assert robot.replay and robot.title == "run.jsonl"
    robot.open()
    robot.close()


# ---- through the server --------------------------------------------------------------------------


def test_a_page_scrubs_through_a_run(run: tuple[Path, Path]) -> None:
    pytest.importorskip("aiohttp")
    from console_rig import entered, serving
    from console_rig import run as wait_for

    robot = open_replay(run[0], str(run[1]))
    chunks = [s.chunk for s in of(robot._tape, p.Second)]

    async def scrub() -> None:
        with serving(robot) as server:
            async with entered(server) as page:
                hello = next(m for m in page.messages if m["type"] == "hello")
                assert hello["replay"] and hello["abilities"]["replay"] == ""
                assert {m["kind"] for m in hello["marks"]} == {"question", "said", "alert"}
                place = await page.until("playback")
                assert (place["at_ms"], place["playing"]) == (START / 1e6, False)
                assert (await page.do("seek", at_ms=place["end_ms"]))["ok"]
                snapshot = next(m for m in reversed(page.messages) if m["type"] == "snapshot")
                assert [s["chunk"] for s in snapshot["seconds"]] == chunks
                for second in snapshot["seconds"]:
                    found = await page.do("picture", stamp_ns=second["stamp_ns"])
                    assert found["ok"]
                    (*_, jpeg) = await page.picture(p.FOUND)
                    assert abs(grey(jpeg) - 60 * second["chunk"]) <= 2
                refused = await page.do("ask", text="why?")
                assert refused["error"] == "this is a recording"
                exported = await page.do("export", form="json")
                assert WATCH in exported["data"]["text"]

    wait_for(scrub)
