"""`aura console`: it serves until Ctrl-C; options that have no effect are refused, in one line."""

from __future__ import annotations

import signal
import socket as sockets
import urllib.request
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest
from console_command import SIMULATED, STARTS_S, ended, running
from console_rig import entered, run, socket

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
        ("--asr", "off"),
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


# ---- serving -------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_its_address_serves_and_ends_with_a_signal(number: signal.Signals) -> None:
    with running(*SIMULATED) as (process, url):
        address = urlsplit(url)
        assert (address.hostname, address.path, address.fragment) == ("127.0.0.1", "/", "")
        with urllib.request.urlopen(url, timeout=STARTS_S) as answer:
            assert answer.status == 200
            assert b'<script type="module"' in answer.read()

        async def test() -> None:
            async with entered(SimpleNamespace(port=address.port)) as page:
                assert page.messages[0]["cameras"]
                await page.until("second")  # the model decides
                process.send_signal(number)
                bye = await page.closed()
                assert (bye["type"], bye["code"], bye["again"]) == ("bye", "stopping", True)

        run(test)
        out, err = process.communicate(timeout=STARTS_S)
        assert (process.returncode, out) == (0, "")
        assert err.splitlines()[-1] == "stopped"


def test_for_another_address_a_token_is_printed_once_in_the_fragment() -> None:
    with running(*SIMULATED, "--host", "0.0.0.0") as (process, url):
        address = urlsplit(url)
        assert not address.query
        (token,) = parse_qs(address.fragment)["token"]
        server = SimpleNamespace(port=address.port)

        async def test() -> None:
            async with socket(server) as stranger:
                await stranger.ws.send_str('{"type":"enter","version":1,"token":"guessed"}')
                assert (await stranger.closed())["code"] == "token"
                assert [m["type"] for m in stranger.messages] == ["bye"]
            async with entered(server, token) as page:
                assert page.messages[0]["type"] == "hello"

        run(test)
        code, out, err = ended(process, signal.SIGINT)
        assert code == 0
        assert token not in out + err
        assert "not encrypted" in err and "--https" in err


def test_a_port_in_use_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with sockets.create_server(("127.0.0.1", 0)) as taken, pytest.raises(SystemExit) as exited:
        port = taken.getsockname()[1]
        main(["console", *SIMULATED, "--port", str(port)])
    assert exited.value.code == 1
    told = capsys.readouterr()
    (line,) = told.err.splitlines()
    assert line.startswith(f"error: port {port} of 127.0.0.1 cannot be used: ")
    assert "Choose another port" in line and not told.out
