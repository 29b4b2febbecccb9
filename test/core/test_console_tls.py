"""HTTPS of the console: certificates that sign themselves, and those of the user."""

from __future__ import annotations

import shutil
import socket
import ssl
import stat
import threading
from pathlib import Path

import pytest

from aura_core.console import tls
from aura_core.console.settings import ConsoleConfig
from aura_core.errors import InputError

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ROS_HOME", str(tmp_path))
    return tmp_path


def served(context: ssl.SSLContext) -> dict[str, object]:
    """What a client that trusts nothing else is shown: the certificate of a real handshake."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        accepted, _ = listening.accept()
        with accepted, context.wrap_socket(accepted, server_side=True) as safe:
            safe.sendall(b"well")
            safe.recv(1)

    thread = threading.Thread(target=serve)
    thread.start()
    client = ssl.create_default_context(cafile=str(tls.default_folder() / "console.pem"))
    with (
        socket.create_connection(listening.getsockname()) as plain,
        client.wrap_socket(plain, server_hostname="127.0.0.1") as safe,
    ):
        assert safe.recv(4) == b"well"
        shown = safe.getpeercert()
        safe.sendall(b".")
    thread.join()
    listening.close()
    return shown


@needs_openssl
def test_a_certificate_is_made_kept_and_made_anew_for_a_new_name(home: Path) -> None:
    shown = served(tls.context(ConsoleConfig(https=True)))
    assert ("DNS", "localhost") in shown["subjectAltName"]
    file = tls.default_folder() / "console.pem"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = file.read_bytes()
    tls.context(ConsoleConfig(https=True))
    assert file.read_bytes() == before, "a phone has accepted it"
    shown = served(tls.context(ConsoleConfig(host="192.0.2.7", https=True)))
    assert ("IP Address", "192.0.2.7") in shown["subjectAltName"]
    parts = tls.fingerprint(file).split(":")
    assert len(parts) == 32 and all(len(part) == 2 for part in parts)


@needs_openssl
def test_a_certificate_that_ends_soon_or_is_damaged_is_made_anew(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "DAYS", 2)
    file = tls.own_certificate("127.0.0.1")
    soon = file.read_bytes()
    monkeypatch.undo()
    monkeypatch.setenv("ROS_HOME", str(home))
    assert tls.own_certificate("127.0.0.1").read_bytes() != soon
    file.write_text("damaged")
    tls.own_certificate("127.0.0.1")
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(file)


@needs_openssl
def test_a_certificate_of_the_user_is_taken_and_a_wrong_one_refused(home: Path) -> None:
    own = tls.own_certificate("127.0.0.1", home / "mine")
    assert tls.context(ConsoleConfig(https=True, certificate=str(own)))
    assert not (home / "aura").exists(), "none was made"
    text = own.read_text()
    half = home / "half.pem"
    half.write_text(text[: text.index("-----BEGIN PRIVATE")])
    for config, named in (
        (ConsoleConfig(https=True, certificate=str(half)), "half.pem"),
        (ConsoleConfig(https=True, certificate=str(home / "gone.pem")), "gone.pem"),
        (ConsoleConfig(https=True, certificate=str(half), key=str(half)), "half.pem"),
    ):
        with pytest.raises(InputError, match=named) as refused:
            tls.context(config)
        assert "\n" not in str(refused.value)


def test_without_openssl_the_message_says_what_to_do(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(InputError, match="apt install openssl, or name your own"):
        tls.context(ConsoleConfig(https=True))


def test_a_folder_that_cannot_be_written_is_named(home: Path) -> None:
    (home / "aura").write_text("a file")
    with pytest.raises(InputError, match="aura"):
        tls.context(ConsoleConfig(https=True))
