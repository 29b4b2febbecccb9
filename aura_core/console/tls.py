"""HTTPS for the console: a certificate of the user's own, or one that signs itself.

A browser lets a page use the camera and the microphone only over HTTPS, or on the machine itself.
The certificate is made by the program `openssl` and kept, so that a phone that has accepted it once
is not asked again.
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
from pathlib import Path

from aura_core.console.settings import ConsoleConfig
from aura_core.errors import InputError, one_line

DAYS = 397  # phones refuse a certificate that is valid for longer than 825 days
RENEW_S = 30 * 86_400  # a certificate that ends earlier than this is made anew
_OPENSSL_S = 30.0  # most time that openssl may take
_NAMES = 20  # most addresses in a certificate


def context(config: ConsoleConfig) -> ssl.SSLContext:
    """The context of a server: with the certificate of the settings, or with one that is made.

    Raises `InputError` when it cannot be read or made.
    """
    certificate = certificate_of(config)
    key = Path(config.key) if config.key else None
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        made.load_cert_chain(certificate, key, password=_no_password)
    except ssl.SSLError as e:
        where = f"{certificate} and {key}" if key else str(certificate)
        raise InputError(
            f"{where}: no certificate with its private key, as PEM: {one_line(e)}"
        ) from e
    except OSError as e:
        raise InputError(f"{e.filename or certificate}: cannot be read: {e.strerror}") from e
    return made


def certificate_of(config: ConsoleConfig) -> Path:
    """The file of the certificate; made where the settings name none. Raises `InputError`."""
    return Path(config.certificate) if config.certificate else own_certificate(config.host)


def _no_password() -> str:
    raise InputError("the private key has a password; give one without")


def fingerprint(certificate: Path) -> str:
    """The SHA-256 of the first certificate of a PEM file, as browsers show it: "AB:CD:...".

    Raises `InputError`.
    """
    try:
        text = certificate.read_text(encoding="ascii")
        begin = text.index("-----BEGIN CERTIFICATE-----")
        end = text.index("-----END CERTIFICATE-----") + len("-----END CERTIFICATE-----")
        digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(text[begin:end])).hexdigest().upper()
    except (OSError, ValueError) as e:
        raise InputError(f"{certificate}: no certificate as PEM: {one_line(e)}") from e
    return ":".join(digest[i : i + 2] for i in range(0, len(digest), 2))


def default_folder() -> Path:
    """The folder of the certificate that is made: in $ROS_HOME (~/.ros)."""
    return Path(os.environ.get("ROS_HOME") or Path.home() / ".ros") / "aura" / "console"


def own_certificate(host: str, folder: Path | None = None) -> Path:
    """A file with a certificate that signs itself, and its key.

    It is made where there is none, where it ends soon, and where it lacks a name that this machine
    has now.

    Args:
        host: the address that is served.
        folder: where it is kept; None: `default_folder`.

    Raises:
        InputError: it cannot be made.
    """
    folder = folder or default_folder()
    file, wanted = folder / "console.pem", names(host)
    names_file = folder / "console.names"
    if _is_good(file, names_file, wanted):
        return file
    if shutil.which("openssl") is None:
        raise InputError(
            "https needs a certificate, and openssl, which makes one, is not installed: sudo apt"
            " install openssl, or name your own with certificate and key"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(dir=folder) as work:
            made = _make(Path(work), wanted)
            made.replace(file)
        names_file.write_text("\n".join(wanted) + "\n", encoding="utf-8")
    except OSError as e:
        raise InputError(f"{folder}: the certificate cannot be kept: {e.strerror}") from e
    return file


def _is_good(file: Path, names_file: Path, wanted: list[str]) -> bool:
    try:
        known = names_file.read_text(encoding="utf-8").split()
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(file)
    except (OSError, ValueError, ssl.SSLError):
        return False
    ends = _openssl("x509", "-in", str(file), "-noout", "-checkend", str(RENEW_S))
    return ends.returncode == 0 and set(wanted) <= set(known)


def _make(folder: Path, wanted: list[str]) -> Path:
    key, certificate, both = folder / "key", folder / "certificate", folder / "both"
    listed = ",".join(f"{'IP' if _is_address(n) else 'DNS'}:{n}" for n in wanted)
    done = _openssl(
        *("req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
        *("-sha256", "-days", str(DAYS), "-subj", "/CN=aura console"),
        *("-addext", f"subjectAltName={listed}", "-addext", "extendedKeyUsage=serverAuth"),
        *("-keyout", str(key), "-out", str(certificate)),
    )
    if done.returncode != 0:
        raise InputError(f"openssl cannot make a certificate: {one_line(done.stderr.strip())}")
    both.touch(mode=0o600)
    both.write_text(certificate.read_text() + key.read_text())
    return both


def _openssl(*words: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["openssl", *words],
            capture_output=True,
            text=True,
            timeout=_OPENSSL_S,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as e:
        return subprocess.CompletedProcess(["openssl"], 1, "", str(e))


def names(host: str) -> list[str]:
    """The names and addresses by which browsers may call this machine."""
    own = socket.gethostname()
    found = ["localhost", "127.0.0.1", "::1", own]
    if "." not in own:
        found.append(f"{own}.local")
    host = host.strip("[]")
    if host not in ("", "0.0.0.0", "::"):
        found.append(host)
    for family, target in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        try:  # nothing is sent: it only tells which address would be used
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((target, 9))
                found.append(probe.getsockname()[0])
        except OSError:
            continue
    return list(dict.fromkeys(n for n in found if _is_name(n)))[:_NAMES]


def _is_name(name: str) -> bool:
    return _is_address(name) or all(c.isascii() and (c.isalnum() or c in "-._") for c in name)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
