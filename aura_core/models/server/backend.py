"""ServerBackend: the model runs on a server; its tokenizer and chat template are here."""

from __future__ import annotations

from typing import Any

from aura_core.config import ModelConfig, ServerConfig
from aura_core.errors import ModelError
from aura_core.extras import how_to_install
from aura_core.http_client import HttpClient, HttpOptions
from aura_core.models import checkpoint, families
from aura_core.models.backend import ChatFormat, Video
from aura_core.models.sidecar import read_aura, read_json, read_template
from aura_core.types import Chunk

try:
    import httpx  # noqa: F401
    import transformers  # noqa: F401  (for its tokenizers alone; torch is not needed)
    from jinja2 import TemplateError

    from aura_core.models.chat import HFTokenizer, extract, open_tokenizer, user
    from aura_core.models.families.base import ChunkPrompt
    from aura_core.models.server.conversation import Reader
    from aura_core.models.server.counters import Counters
    from aura_core.models.server.media import MediaCodec
    from aura_core.models.server.replies import ReplyReader
    from aura_core.models.server.requests import Requests
    from aura_core.models.server.session import ServerSession
    from aura_core.models.server.warmer import Warmer
except ImportError as e:
    raise ModelError(
        f"{e.name} is not installed, and server.url needs it: {how_to_install('server')}"
    ) from e


class ServerBackend:
    """A checkpoint that an OpenAI-compatible server runs.

    The constructor opens no connection.

    Args:
        config: `path` names the checkpoint, `max_pixels` bounds a frame. The other keys are not
            used.
        server: where the model is served, and how it is asked.
        name: the checkpoint's name in messages; its path when None.

    Raises:
        ModelError: the checkpoint's text files are missing or not supported.
        ConfigError: the environment variable with the token is not set.
    """

    tokenizer: HFTokenizer
    chat: ChatFormat

    def __init__(self, config: ModelConfig, server: ServerConfig, name: str | None = None) -> None:
        where = name or config.path
        folder = checkpoint.find(config.path, where, weights=False)
        model_type = checkpoint.family(folder, where)
        kind = families.find(model_type, where)
        if not kind.served:
            raise ModelError(
                f"{where}: a model of type {model_type} behind server.url is not supported: how a"
                " server writes its chunks was not verified; leave server.url empty to run it here"
            )
        sidecar = read_aura(folder)
        self.tokenizer = open_tokenizer(folder, where)
        template = read_template(folder, self.tokenizer.inner.chat_template)
        self.chat = extract(self.tokenizer, template, model_type, sidecar, where)
        model = read_json(folder / "config.json")
        family = kind.open(folder, model_type, config.max_pixels or sidecar.max_pixels)
        self.served = server.model or where
        self.counters = Counters()
        self.name = f"{self.served} at {server.url}"
        self.context: int | None = None  # only the server knows; it refuses a longer window
        self._config, self._media = server, MediaCodec(server, family)
        self._client = HttpClient(HttpOptions.of(server), self.counters.add)
        own_system = _writes_system(
            self.tokenizer, str(template), self.chat, kind.prompt(model_type, sidecar)
        )
        self._requests = Requests(
            server, self.served, self.chat, own_system, self._client, self.counters
        )
        self._reader = Reader(self.tokenizer, self.chat)
        self._replies = ReplyReader(
            self.tokenizer, _vocabulary(model, self.tokenizer), self._client.url
        )
        self.warmer = Warmer(self.counters)
        token = self.tokenizer.inner.convert_ids_to_tokens(self.chat.silent_id)
        decides = (
            f"decides by {token}"
            if self.chat.trained_to_decide
            else ("not trained to be silent: asked yes or no each second")
        )
        frames = (
            f"frames as {server.media},"
            f" {'each sent once' if server.media_uuids else 'sent with each request'}"
        )
        self.description = (
            f"{where}: {model_type}, served as {self.served} at {server.url}, {frames}; {decides}"
        )

    def encode(self, chunk: Chunk) -> Video:
        """The chunk's two frames, resized and compressed.

        The server's vision encoder runs once for each of them.
        """
        return self._media.encode(chunk)

    def open(self) -> ServerSession:
        """A new, empty session."""
        c = self._config
        return ServerSession(
            self._requests,
            self._reader,
            self._replies,
            self.warmer,
            self.tokenizer,
            self.chat,
            c.one_request,
            c.answer_tokens,
        )

    def close(self) -> None:
        """Stop background requests, and close all connections."""
        self.warmer.close()
        self._client.close()


def _vocabulary(model: dict[str, Any], tokenizer: HFTokenizer) -> int:
    """Number of the model's tokens, which may be more than the tokenizer's."""
    text = model.get("text_config")
    size = (text if isinstance(text, dict) else model).get("vocab_size")
    return max(size if isinstance(size, int) else 0, len(tokenizer.inner))


def _writes_system(
    tokenizer: HFTokenizer, template: str, chat: ChatFormat, chunk: ChunkPrompt
) -> bool:
    """Whether the template writes a system turn where none is given (Qwen2.5-VL's does)."""
    try:
        text = tokenizer.inner.apply_chat_template(
            [user("x", chunk.content)], chat_template=template, tokenize=False
        )
    except (TemplateError, TypeError, ValueError) as e:
        raise ModelError(
            f"the chat template refuses a conversation without a system turn: {e}"
        ) from e
    return not text.startswith(chat.user[0])
