"""Recordings of the console: written as things happen, and read again, also after a crash."""

from __future__ import annotations

import json
import os
import threading
import time
from datetime import UTC
from pathlib import Path

import numpy as np
import pytest

from aura_core.cli import main
from aura_core.console import protocol as p
from aura_core.console import recording as module
from aura_core.console.export import export
from aura_core.console.recording import Recording
from aura_core.console.robot import Seen
from aura_core.console.tape import read_tape
from aura_core.errors import InputError
from aura_core.memory.pictures import decoded, jpeg
from aura_core.types import NS

CAMERAS = (p.Camera("front", "Front"), p.Camera("back/door", "Back"))
WHEN_S = 1_700_000_000.0


def picture(level: int) -> np.ndarray:
    return np.full((12, 16, 3), level, np.uint8)


def second(camera: str, chunk: int, response_id: str = "") -> p.Second:
    stamp = chunk * NS + NS // 2
    at_ms = WHEN_S * 1e3 + chunk * 1000
    state = "speak" if response_id else "silent"
    return p.Second(camera, chunk, stamp, at_ms, state, 0.25, response_id=response_id)


def said(number: int, text: str, at_s: float) -> p.Said:
    return p.Said(f"r{number}", "front", text, 5, (WHEN_S + at_s) * 1e3, "q1", "real-time")


def alert(at_s: float, text: str = "It fell.") -> p.Alert:
    at_ms = (WHEN_S + at_s) * 1e3
    return p.Alert("r2/w1", "r2", "w1", "front", "tell me when", text, 5, at_ms, "proactive")


def record(folder: Path, told: list[object], **options: object) -> Path:
    made = Recording(folder, "sim:7", CAMERAS, pytest.fail, lambda: WHEN_S, **options)
    for one in told:
        made.take(one)
    return made.finish()


def test_a_frame_that_is_written_late_is_shown_with_its_second(tmp_path: Path) -> None:
    times = iter([WHEN_S, *[WHEN_S + 60.0] * 20])  # the disk is a minute behind
    made = Recording(tmp_path, "sim:7", CAMERAS, pytest.fail, lambda: next(times))
    for chunk in (0, 1):
        made.take(Seen("front", chunk * NS + NS // 2, picture(chunk), "second"))
        made.take(second("front", chunk))
    film = read_tape(made.finish()).film
    shown = [film.at("front", WHEN_S * 1e3 + ms) for ms in (0, 999, 1000)]
    assert [shot and shot.stamp_ns for shot in shown] == [NS // 2, NS // 2, NS + NS // 2]


def test_what_was_recorded_is_read_again(tmp_path: Path) -> None:
    asked = p.Asked("q1", "front", "what is “it”?\n", "console", False, WHEN_S * 1e3 + 1)
    watch = p.Watch("w1", "front", "tell me", "proactive", True, 1, None, 2.0, last_stamp_ns=-5)
    told = [
        Seen("front", NS // 2, picture(10)),
        asked,
        second("front", 0, "r1"),
        said(1, "一个杯子", 0.5),
        p.Watches((watch,)),
        alert(0.6),
        second("back/door", 0),
    ]
    place = record(tmp_path / "new" / "folder", told)
    assert [path.name for path in place.parent.iterdir()] == [place.name]
    tape = read_tape(place)
    assert (tape.title, tape.cameras, tape.notice) == ("sim:7", CAMERAS, "")
    assert sorted(map(repr, (event for _, event in tape.events))) == sorted(map(repr, told[1:]))
    times = [at_ms for at_ms, _ in tape.events]
    assert times == sorted(times)
    found = decoded(tape.film.picture("front", NS // 2))
    assert found.shape == (12, 16, 3) and abs(int(found.mean()) - 10) <= 2
    assert tape.film.picture("back/door", NS) is None
    assert read_tape(place / "run.jsonl").events == tape.events


def test_words_in_the_making_and_each_second_of_a_status_are_not_recorded(tmp_path: Path) -> None:
    def status(state: str, trouble: str = "") -> p.CameraStatus:
        return p.CameraStatus("front", state, trouble)

    states = [
        status("silent"),
        status("silent"),
        status("speaking"),
        status("no_frames", "no_frames"),
        status("no_frames", "no_frames"),
        status("silent"),
    ]
    words = p.Words("r1", "front", "A", WHEN_S)
    tape = read_tape(record(tmp_path, [words, p.Status(0.0), *states]))
    told = [(e.state, e.trouble) for _, e in tape.events]
    assert told == [("silent", ""), ("no_frames", "no_frames"), ("silent", "")]


def test_two_frames_a_second_are_kept_and_those_of_decisions(tmp_path: Path) -> None:
    live = [Seen("front", k * NS // 10, jpeg(picture(k), 16)) for k in range(21)]
    extra = [
        Seen("front", NS // 10, picture(1), "second"),
        Seen("front", NS // 10, picture(1), "evidence"),  # the same frame in another role
        Seen("unknown", NS, picture(1)),
    ]
    tape = read_tape(record(tmp_path, [*live, *extra]))
    stamps = [shot.stamp_ns for shot in tape.film.shots["front"]]
    assert sorted(stamps) == [0, NS // 10, NS // 2, NS, 3 * NS // 2, 2 * NS]
    assert tape.film.picture("front", NS // 2) == live[5].image, "a JPEG stays as it came"
    assert tape.film.picture("front", NS - 1) == live[5].image, "the newest frame before"


def slow_disk(monkeypatch: pytest.MonkeyPatch) -> tuple[threading.Event, threading.Event]:
    """A disk on which nothing is stored until the second event; the first: something waits."""
    begun, go_on, rename = threading.Event(), threading.Event(), Path.rename

    def slow(self: Path, target: Path) -> Path:
        begun.set()
        go_on.wait()
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", slow)
    return begun, go_on


def test_a_slow_disk_costs_frames_and_no_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = slow_disk(monkeypatch)
    made = Recording(tmp_path, "", CAMERAS[:1], pytest.fail, lambda: WHEN_S)
    made.take(Seen("front", -1, picture(0), "second"))
    assert begun.wait(10)
    for k in range(40):
        made.take(Seen("front", k, picture(0), "second"))
        made.take(second("front", k))
    go_on.set()
    tape = read_tape(made.finish())
    assert len([e for _, e in tape.events if isinstance(e, p.Second)]) == 40
    kept = [s.stamp_ns for s in tape.film.shots["front"]]
    assert kept == [-1, *range(40 - module._WAITING, 40)], "the newest"
    (problem,) = [e for _, e in tape.events if isinstance(e, p.Problem)]
    assert f"{40 - module._WAITING} frames were not recorded" in problem.text


def test_frames_of_many_cameras_wait_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: of the frames of 40 cameras, which come at once, 16 were kept."""
    begun, go_on = slow_disk(monkeypatch)
    cameras = tuple(p.Camera(f"c{i}", "") for i in range(40))
    made = Recording(tmp_path, "", cameras, pytest.fail, lambda: WHEN_S)
    made.take(Seen("c0", -1, picture(0), "second"))
    assert begun.wait(10)
    for stamp_ns in (1, 2):
        for camera in cameras:
            made.take(Seen(camera.name, stamp_ns, picture(0), "second"))
    go_on.set()
    shots = read_tape(made.finish()).film.shots
    assert made.dropped == 0
    assert all([s.stamp_ns for s in shots[c.name]][-2:] == [1, 2] for c in cameras)


def test_what_a_crash_leaves_can_be_read(tmp_path: Path) -> None:
    """The process is killed while it records: all lines are there, the last one perhaps by half."""
    pid = os.fork()
    if pid == 0:
        made = Recording(tmp_path, "", CAMERAS, print, lambda: WHEN_S)
        made.take(Seen("front", 7, picture(9), "second"))
        made.take(second("front", 0))
        deadline = time.monotonic() + 30
        while _lines(tmp_path) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(os.getpid(), 9)
    os.waitpid(pid, 0)
    (part,) = tmp_path.iterdir()
    assert part.name.endswith(".part")
    with (part / "run.jsonl").open("a") as lines:
        lines.write('{"type": "second", "camera": "fr')
    (part / "frames" / "0" / "8.part").write_bytes(b"half")
    tape = read_tape(part)
    assert [event for _, event in tape.events] == [second("front", 0)]
    assert [shot.stamp_ns for shot in tape.film.shots["front"]] == [7]
    assert "not finished" in tape.notice


def _lines(folder: Path) -> int:
    return sum(len(f.read_text().splitlines()) for f in folder.glob("*/run.jsonl"))


def test_a_full_disk_ends_the_recording_with_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    made = Recording(tmp_path, "", CAMERAS, told.append, lambda: WHEN_S)
    made.take(second("front", 0))

    def full(lines: object, line: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "write_line", full)
    made.take(second("front", 1))
    made._thread.join()
    made.take(second("front", 2))
    place = made.finish()
    assert told == [made.failed] and "No space left on device" in made.failed
    assert place.name.endswith(".part") and read_tape(place).notice


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file: cannot be recorded to"):
        Recording(tmp_path / "file", "", CAMERAS, print)


def test_two_recordings_of_one_second_have_two_names(tmp_path: Path) -> None:
    first, second_ = record(tmp_path, []), record(tmp_path, [])
    assert second_.name == f"{first.name}-2"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("", "no lines"),
        ("{}\nnot json\n", "line 2 is not JSON"),
        ("[]\n", "line 1 is no object"),
        ('{"type": "recording"}\n', "line 1: cameras"),
        (
            '{"type": "recording", "cameras": [{"name": ""}]}\n{"type": "said"}\n',
            "line 2: said: id",
        ),
        (
            '{"type": "recording", "cameras": [{"name": ""}]}\n'
            '{"type": "frame", "camera": "x", "stamp_ns": "1"}\n',
            "line 2",
        ),
        ('{"chunk": 1}\n', "line 1 is no step of a run"),
        ('{"chunk": true, "stamp_ns": 1}\n', "line 1 is no step of a run"),
    ],
)
def test_a_damaged_recording_is_refused_with_its_line(
    tmp_path: Path, lines: str, message: str
) -> None:
    file = tmp_path / "run.jsonl"
    file.write_text(lines)
    with pytest.raises(InputError, match=message) as refused:
        read_tape(file)
    assert str(file) in str(refused.value) and "\n" not in str(refused.value)


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such recording"):
        read_tape(tmp_path / "gone")
    with pytest.raises(InputError, match="neither a bag nor a recording"):
        read_tape(tmp_path)


# ---- the conversation as a text ------------------------------------------------------------------


def snapshot() -> p.Snapshot:
    asked = p.Asked("q1", "", "what is *that*?", "console", False, WHEN_S * 1e3)
    watch = p.Asked("w1", "", "tell me when it falls", "console", True, WHEN_S * 1e3 + 2000)
    refused = p.Refused("q2", "back", "why?", "too many wait", (WHEN_S + 86_400) * 1e3)
    words = said(1, "A cup.\nRed.", 1.0)
    repeated = p.Said("r2", "front", "It fell.", 5, (WHEN_S + 3) * 1e3, "w1", "proactive")
    return p.Snapshot(conversation=(asked, words, watch, repeated, refused), alerts=(alert(3.0),))


def test_the_conversation_is_exported_with_times() -> None:
    name, text = export(snapshot(), "markdown", "sim:7", WHEN_S * 1e3, UTC)
    assert name == "conversation-2023-11-14-22-13-20.md"
    assert text == (
        "# sim:7\n\n"
        "## 2023-11-14\n\n"
        "- 22:13:20 **Question**: what is \\*that\\*?\n"
        "- 22:13:21 **Answer** (front): A cup. Red.\n"
        "- 22:13:22 **Watch**: tell me when it falls\n"
        "- 22:13:23 **Alert** (info) (front): It fell. (watch: “tell me when”)\n\n"
        "## 2023-11-15\n\n"
        "- 22:13:20 **Refusal** (back) to “why?”: too many wait\n"
    )


def test_the_conversation_is_exported_as_json() -> None:
    name, text = export(snapshot(), "json", "sim:7", WHEN_S * 1e3, UTC)
    document = json.loads(text)
    assert name.endswith(".json") and document["title"] == "sim:7"
    types = [entry["type"] for entry in document["entries"]]
    assert types == ["asked", "said", "asked", "alert", "refused"]
    assert document["entries"][1]["at"] == "2023-11-14T22:13:21.000+00:00"


def test_an_export_says_what_is_left_out() -> None:
    _, text = export(snapshot(), "markdown", "sim:7", WHEN_S * 1e3, UTC, left_out=12)
    assert text.startswith("# sim:7\n\n12 older entries are left out: these are the newest.\n\n## ")
    _, text = export(snapshot(), "json", "sim:7", WHEN_S * 1e3, UTC, left_out=12)
    assert json.loads(text)["left_out"] == 12
    _, text = export(snapshot(), "json", "sim:7", WHEN_S * 1e3, UTC)
    assert "left_out" not in json.loads(text)


def test_nothing_to_export_is_said() -> None:
    _, text = export(p.Snapshot(), "markdown", "", 0.0, UTC)
    assert text == "# Conversation\n\nNothing was asked or said.\n"


def test_an_export_of_a_run_without_a_time_of_day_says_so() -> None:
    asked = p.Asked("q", "", "what is it?", "run", False, 62_500.0)
    said = p.Said("r", "", "a cup", 63_000_000_000, 63_000.0, "q", "real-time")
    shot = p.Snapshot(conversation=(asked, said))
    name, text = export(shot, "markdown", "steps.jsonl", WHEN_S * 1e3, UTC)
    assert name.startswith("conversation-20") and "1970" not in name + text
    assert "the recording has no time of day" in text
    assert text.splitlines()[-2:] == [
        "- 0:01:02.500 **Question**: what is it?",
        "- 0:01:03.000 **Answer**: a cup",
    ]
    document = json.loads(export(shot, "json", "steps.jsonl", WHEN_S * 1e3, UTC)[1])
    assert "no time of day" in document["times"]
    assert [entry["at"] for entry in document["entries"]] == ["0:01:02.500", "0:01:03.000"]
    assert "1970" not in json.dumps(document)


def test_a_recording_of_too_many_cameras_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Regression: struct.error, when the picture of camera 256 was sent."""
    cameras = [{"name": f"c{i}", "title": f"c{i}"} for i in range(300)]
    head = {"type": "recording", "version": 1, "title": "a mall", "cameras": cameras}
    (tmp_path / "run.jsonl").write_text(json.dumps(head) + "\n", encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        main(["console", "--replay", str(tmp_path), "--port", "0"])
    assert ended.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "error: a mall: it has 300 cameras; the console takes at most 256"
