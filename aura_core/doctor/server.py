"""The server: reachable, an OpenAI-compatible API, and the model's name among those it serves."""

from __future__ import annotations

import json
import os
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

from aura_core.config import ServerConfig
from aura_core.doctor.findings import FAULT, OK, WARN, Asked, Check, Finding
from aura_core.errors import ConfigError

MOST_BYTES = 1_000_000  # of the list of models
SHOWN = 5  # names that are told


class Unusable(Exception):
    """Why a server cannot be used, and the fix."""

    def __init__(self, found: str, fix: str) -> None:
        super().__init__(found)
        self.found, self.fix = found, fix


def server(asked: Asked) -> Iterator[Finding]:
    """The servers of the settings."""
    try:
        config = asked.settings()
    except ConfigError:
        return  # told by the group of the model
    other = config.fallback
    if config.server.url:
        yield _one("server", config.server, config.model.path)
    if other.on and other.server.url:
        yield _one("fallback server", other.server, other.model.path)


def _one(what: str, own: ServerConfig, path: str) -> Finding:
    url = own.url
    try:
        names = served(url, own.api_key_env, own.connect_timeout_s)
    except Unusable as e:
        return Finding(what, FAULT, f"{url}: {e.found}", e.fix)
    wanted = own.model or path
    told = ", ".join(names[:SHOWN]) + (" ..." if len(names) > SHOWN else "")
    if wanted in names:
        return Finding(what, OK, f"{url} serves {wanted}")
    if not names:
        fix = "wait until its model is loaded, or give it one"
        return Finding(what, WARN, f"{url}: it lists no model", fix)
    found = f"{url} does not list {wanted}; it serves {told}"
    fix = f"server.model: {names[0]}" if len(names) == 1 else "set server.model to one of them"
    return Finding(what, FAULT, found, fix)


def served(url: str, api_key_env: str, timeout_s: float) -> list[str]:
    """The names of the models that a server lists. Raises `Unusable`."""
    headers = {"Accept": "application/json"}
    if api_key_env:
        token = os.environ.get(api_key_env, "").strip()
        if not token:
            found = f"server.api_key_env is {api_key_env}, but this variable is not set"
            raise Unusable(found, f"export {api_key_env}=TOKEN")
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(f"{url.rstrip('/')}/models", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as reply:
            body = reply.read(MOST_BYTES)
    except urllib.error.HTTPError as e:
        raise _refused(e.code) from e
    except (OSError, ValueError) as e:  # URLError is an OSError
        raise _unreachable(e, timeout_s) from e
    return _names(body)


def _refused(status: int) -> Unusable:
    found = f"it answers {status}"
    if status in (401, 403):
        return Unusable(found, "set server.api_key_env to the variable that holds its token")
    if status in (404, 405):
        return Unusable(found, "server.url must end in /v1")
    return Unusable(found, "see the server's log")


def _unreachable(error: Exception, timeout_s: float) -> Unusable:
    cause = getattr(error, "reason", error)
    if isinstance(cause, socket.gaierror):
        return Unusable("this name of a host is not known", "correct server.url, or the DNS")
    if isinstance(cause, ConnectionRefusedError):
        return Unusable("nobody listens there", "start the server, or correct server.url")
    if isinstance(cause, TimeoutError):
        fix = "look whether it hangs; raise server.connect_timeout_s for a slow one"
        return Unusable(f"no answer within {timeout_s:g} s", fix)
    if isinstance(cause, ssl.SSLError):
        fix = "http:// in server.url, or a certificate that this machine trusts"
        return Unusable(f"its TLS is refused: {cause.reason or cause}", fix)
    text = " ".join(str(cause).split())[:150] or type(cause).__name__
    return Unusable(f"the connection fails: {text}", "look at server.url, the network and its log")


def _names(body: bytes) -> list[str]:
    """The ids in the list of models."""
    fix = "server.url must be the base of an OpenAI-compatible API; most end in /v1"
    try:
        value: Any = json.loads(body)
        return [str(model["id"]) for model in value["data"]]
    except (ValueError, KeyError, TypeError) as e:
        start = " ".join(body[:60].decode(errors="replace").split())
        raise Unusable(f"expected a list of models, got {start!r}", fix) from e


CHECKS = (Check("server", server, "it accepts connections and does not answer: see its log"),)
