"""`aura console`: options that have no effect are refused, in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from aura_core.cli import main
from aura_core.console.settings import ConsoleConfig
from aura_core.errors import ConfigError


def refused(capsys: pytest.CaptureFixture[str], *args: object) -> str:
    """The line with which a command is refused; it ends with code 2."""
    with pytest.raises(SystemExit) as ended:
        main(["console", *map(str, args)])
    assert ended.value.code == 2
    told = capsys.readouterr()
    assert not told.out
    (line,) = told.err.splitlines()
    assert line.startswith("error: ")
    return line.removeprefix("error: ")


@pytest.mark.parametrize(
    "option",
    [
        ("--config", "a.yaml"),
        ("--model", "scripted"),
        ("--device", "cpu"),
        ("--dtype", "float32"),
        ("--memory", "notes.db"),
        ("--seconds", "3"),
        ("--out", "steps.jsonl"),
        ("--loop",),
        ("--recordings", "here"),
    ],
    ids=lambda option: option[0],
)
def test_a_replay_takes_no_option_of_a_run(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    option: tuple[str, ...],
) -> None:
    monkeypatch.chdir(tmp_path)
    line = refused(capsys, "--replay", tmp_path, *option)
    assert line.startswith(f"{option[0]}: only with a SOURCE")
    assert not list(tmp_path.iterdir())  # no file was made or emptied


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("sim:7", "--frames", "zzz"), "--frames: only with --replay"),
        (("sim:7", "--replay", "x"), "name a SOURCE, or a recording with --replay, and not both"),
        ((), "name a SOURCE, or a recording with --replay, and not both"),
        (("sim:7", "--certificate", "x"), "--certificate: only with --https"),
        (("sim:7", "--certificate", "x", "--key", "y"), "--certificate and --key: only with"),
        (("sim:7", "--https", "--key", "y"), "--key: only with --certificate"),
        (("camera:0", "--loop"), "--loop: a camera has no end"),
        (("a=phone", "b=rtsp://c/d", "--loop"), "--loop: a camera has no end"),
        (("phone", "--seconds", "3"), "--seconds: a phone sends pictures"),
        (("--replay", "x", "--model", "m", "--loop"), "--model and --loop: only with a SOURCE"),
    ],
)
def test_options_without_an_effect_are_refused(
    capsys: pytest.CaptureFixture[str], args: tuple[str, ...], said: str
) -> None:
    assert refused(capsys, *args).startswith(said)


def test_settings_without_an_effect_are_refused() -> None:
    for given in ({"certificate": "x"}, {"key": "x"}, {"key": "x", "https": True}):
        with pytest.raises(ConfigError, match="no effect without"):
            ConsoleConfig(**given)  # type: ignore[arg-type]
