"""The address of a page that is served: how it is taken, and how it is told."""

from __future__ import annotations

import errno
import socket

from aura_core.errors import InputError, one_line


def listen(host: str, port: int, what: str) -> socket.socket:
    """Return a socket that listens on this address.

    Args:
        port: 0: any that is free.
        what: what may use the port already, in one word.

    Raises `InputError` that names the address, and what to do where the port is in use.
    """
    name = host.strip("[]")
    try:
        kind, _, _, _, address = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as e:
        raise InputError(f"host '{name}': {one_line(e)}") from e
    listening = socket.socket(kind, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(address)
        listening.listen(128)
    except OSError as e:
        listening.close()
        raise InputError(
            f"port {port} of {name} cannot be used: {e.strerror}"
            + (
                f"; does another {what} run? Choose another port (0: any that is free)"
                if e.errno == errno.EADDRINUSE
                else ""
            )
        ) from e
    return listening


def url_of(listening: socket.socket, host: str, fragment: str, secure: bool = False) -> str:
    """Return the address to open, for a socket that was told to listen on `host`."""
    name = host.strip("[]")
    if name in ("0.0.0.0", "::", ""):
        name = own_address()
    name = f"[{name}]" if ":" in name else name
    return f"{'https' if secure else 'http'}://{name}:{listening.getsockname()[1]}/{fragment}"


def own_address() -> str:
    """This machine's address in its network, or else its name. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # of no machine (RFC 5737)
            return str(probe.getsockname()[0])
        except OSError:  # there is no network
            return socket.gethostname()
