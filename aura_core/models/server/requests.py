"""Build requests and send them. Frames are sent only when the server does not have them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, TypeVar

from aura_core.config import ServerConfig
from aura_core.errors import ModelError
from aura_core.http_client import EventStream, HttpClient, HttpError
from aura_core.models.backend import ChatFormat, Video
from aura_core.models.server.conversation import Conversation
from aura_core.models.server.counters import Counters
from aura_core.models.server.media import FRAME_TIMES, KnownMedia, Media
from aura_core.models.server.replies import TOP

T = TypeVar("T")
# Parts of vLLM's message about a chunk that was named by its uuid and is not in its cache (any
# more): "Cache miss for video at index 3 but data is not provided."
_MEDIA_MISS = ("cache miss", "uuid", "data is not provided")


class Requests:
    """Builds and sends the requests of all sessions of one backend.

    All requests are equal except for their messages, and each part of a message is equal whenever
    it is sent again. Servers reuse a prefix only when all of it is equal.
    """

    def __init__(
        self,
        config: ServerConfig,
        model: str,
        chat: ChatFormat,
        own_system: bool,
        client: HttpClient,
        counters: Counters,
    ) -> None:
        self.client, self.counters, self.known = client, counters, KnownMedia()
        self._config, self._own_system = config, own_system
        self._base: dict[str, Any] = {"model": model, "temperature": 0.0}
        if config.media == "video":
            self._base["media_io_kwargs"] = {"video": FRAME_TIMES}
        if config.tenant:
            self._base["cache_salt"] = hashlib.sha256(
                b"aura prefix " + config.tenant.encode()
            ).hexdigest()
        self._decoding = {
            "logprobs": True,
            "top_logprobs": TOP,
            "return_tokens_as_token_ids": True,
            "skip_special_tokens": False,
            "stop_token_ids": sorted({chat.silent_id, chat.end_id}),
        }

    def stream(
        self, conversation: Conversation, tokens: int, then: Callable[[EventStream], T]
    ) -> T:
        """Stream up to `tokens` tokens; `then` gets the events, and reads the first of them."""
        options = {
            **self._decoding,
            "max_tokens": tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        return self._send(conversation, options, lambda body: then(self.client.stream(body)))

    def decide(self, conversation: Conversation) -> dict[str, Any]:
        """Ask for one token in one reply."""
        return self._send(conversation, {**self._decoding, "max_tokens": 1}, self.client.post)

    def warm(self, conversation: Conversation) -> None:
        """Let the server read the conversation, so that its prefix cache holds it."""
        self._send(conversation, {"max_tokens": 1}, self.client.post)

    def _send(
        self,
        conversation: Conversation,
        options: dict[str, Any],
        send: Callable[[dict[str, Any]], T],
    ) -> T:
        """Send the body, with the bytes that the server lacks.

        When the server has lost a uuid, the body is sent once more with the bytes of all chunks.
        """
        if self._own_system and (not conversation.turns or conversation.turns[0][0] != "system"):
            raise ModelError(
                "the checkpoint's chat template writes a system turn of its own: set a"
                " system_prompt"
            )

        def attempt(with_all_bytes: bool) -> T:
            body, sent, named = self._body(conversation, options, with_all_bytes)
            try:
                result = send(body)
            except HttpError as e:
                if not (named and _is_media_miss(e)):
                    raise
                self.known.clear()  # the cache dropped one, or the server was restarted
                self.counters.add(resends=1)
                return attempt(True)
            self.known.add(sent)
            return result

        return self.client.retry(lambda: attempt(False))

    def _body(
        self, conversation: Conversation, options: dict[str, Any], all_bytes: bool
    ) -> tuple[dict[str, Any], list[Media], int]:
        """A body, the chunks in it with their bytes, and the number of those named by uuid only."""
        uuids = self._config.media_uuids
        sent: list[Media] = []
        named = 0

        def parts(video: Video) -> list[dict[str, Any]]:
            nonlocal named
            media: Media = video.features
            with_bytes = all_bytes or not uuids or not self.known.has(media)
            if with_bytes:
                sent.append(media)
            else:
                named += 1
            return media.parts(with_bytes, uuids)

        messages = conversation.messages(parts)
        size = sum(len(url) for media in sent for url in media.urls)
        self.counters.add(media_sent=len(sent), media_bytes=size, media_reused=named)
        goes_on = conversation.continues
        turn = {"add_generation_prompt": not goes_on, "continue_final_message": goes_on}
        return {**self._base, "messages": messages, **turn, **options}, sent, named


def _is_media_miss(error: HttpError) -> bool:
    """Whether the error says that the server lacks a chunk that was named by its uuid only."""
    return any(words in error.said.lower() for words in _MEDIA_MISS)
