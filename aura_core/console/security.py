"""Who may use the console: its address, the token, the origin of a page, and how often it speaks.

A page of another origin must neither read nor command it, so a browser's `Origin` must be the
server's own address. Without a token, the `Host` must be this machine's own name too: else a
foreign page could give its own name this machine's address (DNS rebinding).
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from aura_core.console.settings import ConsoleConfig
from aura_core.errors import ConfigError

SHORTEST_TOKEN, LONGEST_TOKEN = 16, 200  # characters
CSP = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self'{socket}",
        "media-src 'self' blob:",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(self), microphone=(self)",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's own, which nobody else can reach."""
    if host.strip("[]").lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def token_of(config: ConsoleConfig) -> str:
    """The token that pages need; "": none. Raises `ConfigError`."""
    if config.token == "auto" or (not config.token and not is_loopback(config.host)):
        return secrets.token_urlsafe(24)
    if config.token and len(config.token) < SHORTEST_TOKEN:
        raise ConfigError(f"token must have at least {SHORTEST_TOKEN} characters, or be auto")
    if len(config.token) > LONGEST_TOKEN or config.token != config.token.strip():
        raise ConfigError(
            f"token must have at most {LONGEST_TOKEN} characters, and no blanks around it"
        )
    return config.token


@dataclass(frozen=True)
class Gate:
    """What a request must have.

    `token` is what a page must know; "": none. `host` is the address that is served.
    """

    token: str
    host: str

    @property
    def fragment(self) -> str:
        """The end of the address that is printed: it brings the token, whatever is in it."""
        return f"#token={quote(self.token, safe='')}" if self.token else ""

    def refuse_host(self, host: str) -> str:
        """Why a request with this `Host` is refused; "": it is not."""
        name = _name(host)
        if self.token or is_loopback(name) or name == self.host.strip("[]").lower():
            return ""
        return "this console answers to this machine's own names alone, such as localhost"

    def refuse_origin(self, origin: str | None, host: str) -> str:
        """Why a web socket with this `Origin` is refused; "": it is not.

        Browsers always tell the origin; what tells none is no page.
        """
        if origin is None:
            return ""
        try:
            split = urlsplit(origin)
        except ValueError:  # such as http://[::1
            return "the origin of this page cannot be read"
        defaults = {"http": "80", "https": "443"}
        port = defaults.get(split.scheme)
        if port is not None and _address(split.netloc, port) == _address(host, port):
            return ""
        return "a page of another address may not use this console"

    def knows(self, token: str) -> bool:
        """Whether a page may enter. Takes the same time for every wrong token."""
        return not self.token or hmac.compare_digest(token.encode(), self.token.encode())


def _name(host: str) -> str:
    """The name in a `Host`, without its port."""
    if host.startswith("["):
        return host.partition("]")[0].strip("[").lower()
    return host.partition(":")[0].lower()


def _address(host: str, port: str) -> tuple[str, str]:
    """Name and port in a `Host`, with the port that is meant where none is named."""
    name = _name(host)
    rest = host.rpartition("]")[2] if host.startswith("[") else host
    return name, rest.partition(":")[2] or port


class Bucket:
    """How often something may be done: `rate` times a second, and `burst` times at once."""

    def __init__(
        self, rate: float, burst: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate, self._burst, self._now = rate, burst, now
        self._left, self._at_s = burst, now()

    def take(self, much: float = 1.0) -> bool:
        """Whether it may be done now; then it counts."""
        now_s = self._now()
        self._left = min(self._burst, self._left + (now_s - self._at_s) * self._rate)
        self._at_s = now_s
        if self._left < much:
            return False
        self._left -= much
        return True
