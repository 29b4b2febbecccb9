"""ServerBackend: the model runs on a server; windows, decisions and watches are here."""

from __future__ import annotations

import logging

from aura_core.config import ModelConfig, ServerConfig
from aura_core.errors import ModelError
from aura_core.extras import how_to_install
from aura_core.http_client import HttpClient, HttpOptions
from aura_core.models.backend import ChatFormat, Seen, Tokenizer, deciding
from aura_core.types import Chunk

try:
    import httpx  # noqa: F401

    from aura_core.models.server.condition import Condition
    from aura_core.models.server.conversation import Reader
    from aura_core.models.server.counters import Counters
    from aura_core.models.server.media import MediaCodec
    from aura_core.models.server.probe import Probe
    from aura_core.models.server.prompt_check import PromptCheck
    from aura_core.models.server.requests import Requests
    from aura_core.models.server.session import ServerSession
    from aura_core.models.server.side import Side, any_model, of_checkpoint
    from aura_core.models.server.warmer import Warmer
except ImportError as e:
    raise ModelError(
        f"{e.name} is not installed, and server.url needs it: {how_to_install('server')}"
    ) from e

_log = logging.getLogger(__name__)


class ServerBackend:
    """A model that an OpenAI-compatible server runs.

    The constructor opens no connection. The server is asked what it can do (`server.probe`) before
    the first decision.

    Args:
        config: `path` names the checkpoint (dialect vllm), `max_pixels` bounds a frame. The other
            keys are not used.
        server: where the model is served, and how it is asked.
        name: the checkpoint's name in messages; its path when None.

    Raises:
        ModelError: the checkpoint's text files are missing or not supported.
        ConfigError: the environment variable with the token is not set.
    """

    tokenizer: Tokenizer
    chat: ChatFormat

    def __init__(self, config: ModelConfig, server: ServerConfig) -> None:
        where = config.path
        self.counters = Counters()
        self._client = HttpClient(HttpOptions.of(server), self.counters.add)
        url = self._client.url
        openai = server.dialect == "openai"
        side: Side = any_model(config) if openai else of_checkpoint(config, server, where, url)
        self.tokenizer, self.chat = side.tokenizer, side.chat
        self.served = server.model or where
        self.name = f"{self.served} at {server.url}"
        self.context: int | None = None  # only the server knows; it refuses a longer window
        self._config = server
        self._media = MediaCodec(server, side.frames, video=server.media == "video" and not openai)
        self._condition = Condition()
        self._requests = Requests(
            server,
            self.served,
            (self.chat.silent_id, self.chat.end_id),
            side.own_system,
            self._client,
            self.counters,
            self._condition,
        )
        self._check = PromptCheck(url, self.counters, self._condition, not openai)
        self._reader, self._replies = Reader(side.tokenizer, self.chat), side.replies
        self._probe = Probe(self._requests, side, self._media, self._condition, server.probe)
        self.warmer = Warmer(self.counters)
        self._about = f"{side.about}, served as {self.served} at {server.url}"

    @property
    def description(self) -> str:
        """See `Backend`; with what the server can do, once that is known."""
        return f"{self._about}, {self._probe.told}; {deciding(self.tokenizer, self.chat)}"

    @property
    def trouble(self) -> str:
        """See `Backend`."""
        return self._condition.trouble

    def encode(self, chunk: Chunk) -> Seen:
        """The chunk's two frames, resized and compressed.

        The server's vision encoder runs once for each of them.
        """
        return self._media.encode(chunk)

    def open(self) -> ServerSession:
        """A new, empty session."""
        return ServerSession(
            self._requests,
            self._reader,
            self._replies,
            self._check,
            self.warmer,
            self.tokenizer,
            self.chat,
            self._config.one_request,
            self._config.answer_tokens,
            self._probe.once,
        )

    def close(self) -> None:
        """Stop background requests, and close all connections."""
        self.warmer.close()
        self._client.close()
