"""A sink that went away and came back, as PulseAudio shows it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from aura_core.speech.pulse import SinkKeeper, pactl


class Server:
    """A sound server: its sinks, and the sink of each stream, which all belong to process 7."""

    def __init__(self, *sinks: str) -> None:
        self.sinks = dict(enumerate(sinks))
        self.streams = {40: 0}
        self.works = True

    def __call__(self, arguments: Sequence[str]) -> str | None:
        if not self.works:
            return None
        match arguments:
            case ["-f", "json", "list", "sinks"]:
                found = [{"index": i, "name": n} for i, n in self.sinks.items()]
            case ["-f", "json", "list", "sink-inputs"]:
                of_process = {"application.process.id": "7"}
                found = [
                    {"index": i, "sink": sink, "properties": of_process}
                    for i, sink in self.streams.items()
                ]
                found.append({"index": 99, "sink": 1, "properties": {}})  # somebody else's
            case ["move-sink-input", stream, name]:
                self.streams[int(stream)] = next(i for i, n in self.sinks.items() if n == name)
                return ""
            case _:
                raise AssertionError(arguments)
        return json.dumps(found)

    def unplug(self, index: int) -> None:
        del self.sinks[index]
        other = next(iter(self.sinks))
        self.streams = {s: other if at == index else at for s, at in self.streams.items()}


@pytest.mark.parametrize("wanted", ["usb", ""])
def test_a_stream_goes_back_to_the_sink_that_came_back(wanted: str) -> None:
    server = Server("usb", "hdmi", "room")
    keeper = SinkKeeper(wanted, 7, server)
    assert keeper.look() == []
    server.unplug(0)
    assert keeper.look() == [] and server.streams == {40: 1}
    server.unplug(1)  # PulseAudio moves it once more
    assert keeper.look() == [] and server.streams == {40: 2}
    server.sinks[9] = "usb"
    assert keeper.look() == ["usb"] and server.streams == {40: 9}
    assert keeper.look() == []


def test_who_moves_a_stream_is_not_overruled() -> None:
    server = Server("usb", "hdmi")
    keeper = SinkKeeper("", 7, server)
    keeper.look()
    server.streams[40] = 1
    assert keeper.look() == keeper.look() == [] and server.streams == {40: 1}


def test_with_a_wanted_sink_it_is_compared() -> None:
    server = Server("usb", "hdmi")
    server.streams[40] = 1
    keeper = SinkKeeper("usb", 7, server)
    assert keeper.look() == ["usb"] and server.streams == {40: 0}


def test_a_server_that_is_gone_and_a_missing_program_are_no_errors(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server = Server("usb", "hdmi")
    server.works = False
    assert SinkKeeper("usb", 7, server).look() == []
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PULSE_SERVER", "unix:/nowhere")
    assert pactl(["list"]) is None
    script = tmp_path / "pactl"
    script.write_text("#!/bin/sh\necho no json\n")
    script.chmod(0o755)
    assert SinkKeeper("usb", 7).look() == []
    script.write_text("#!/bin/sh\nexit 1\n")
    assert pactl(["list"]) is None


def test_no_server_is_started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """pactl starts a server where none runs."""
    (tmp_path / "pactl").write_text("#!/bin/sh\necho []\n")
    (tmp_path / "pactl").chmod(0o755)
    for name in ("PULSE_SERVER", "PULSE_RUNTIME_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr("aura_core.speech.pulse.SYSTEM", str(tmp_path / "none"))
    assert pactl(["list"]) is None
    (tmp_path / "pulse").mkdir()
    (tmp_path / "pulse" / "native").touch()
    assert pactl(["list"]) == "[]\n"
