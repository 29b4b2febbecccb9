"""The settings of the console's server: those of `aura console` and of the node."""

from __future__ import annotations

from dataclasses import dataclass

from aura_core.errors import ConfigError
from aura_core.settings import Settings, setting


@dataclass(frozen=True)
class ConsoleConfig(Settings):
    """the console: a web page that shows what the assistant sees, says and remembers."""

    host: str = setting(
        "127.0.0.1",
        "address on which the page is served; other than this machine's own (127.0.0.1, ::1,"
        " localhost), the page needs a token",
    )
    port: int = setting(8640, "port of the page; 0: one that is free", low=0, high=65535)
    token: str = setting(
        "",
        "what a page has to know to be let in; auto: a new one at each start; empty: auto on other"
        " addresses, and none on this machine's own",
    )
    https: bool = setting(
        False, "serve over TLS; without a certificate, with one that signs itself"
    )
    certificate: str = setting("", "file of the certificate for https, PEM; empty: a new one")
    key: str = setting("", "file of the certificate's private key, PEM; empty: with it in one file")
    max_clients: int = setting(32, "most pages at a time", low=1, high=1000)
    recordings: str = setting(
        "auto",
        "folder for recordings; auto: aura/recordings in $ROS_HOME (~/.ros)",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.certificate or self.key) and not self.https:
            raise ConfigError("certificate and key have no effect without https")
        if self.key and not self.certificate:
            raise ConfigError("key has no effect without certificate")
