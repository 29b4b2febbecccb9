"""Build requests and send them. Frames are sent only when the server does not have them."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from aura_core.config import ServerConfig
from aura_core.errors import ModelError
from aura_core.http_client import EventStream, HttpClient, HttpError, RefusedError
from aura_core.models.backend import Video
from aura_core.models.server.abilities import Abilities
from aura_core.models.server.condition import Condition
from aura_core.models.server.conversation import Conversation
from aura_core.models.server.counters import Counters
from aura_core.models.server.media import KnownMedia, Media
from aura_core.models.server.replies import TOP

T = TypeVar("T")
# How servers answer a request with a chunk that was named by its uuid and is not in their cache
# (any more). The words differ from release to release (vLLM: "Cache miss for video at index 3 but
# data is not provided", "cannot unpack non-iterable NoneType object", "Expected a cached item"), so
# the request is sent again with all bytes whatever they are. Only a 500 must speak of a cache: it
# may have any cause, and is tried again anyway.
_REFUSED, _BROKEN = (400, 422), 500
_MISSED = ("cache", "uuid", "not provided", "nonetype")
# A server that loses frames so often holds less than a window of them.
LOSSES, WITHIN = 3, 100  # losses within so many requests
AGAIN = 600  # requests after which frames are named again
# Fields that newer models refuse, and what they are called there; "": left out.
_OTHERWISE = {"max_tokens": "max_completion_tokens", "temperature": "", "stream_options": ""}
_UNSUPPORTED = (
    *("unsupported", "not support", "unrecognized", "unknown", "unexpected", "not permitted"),
    *("not allowed", "invalid", "instead", "bad field"),
)
WORD_TOKENS = 8  # most tokens that are asked for where the first word decides


class Requests:
    """Builds and sends the requests of all sessions of one backend.

    All requests are equal except for their messages, and each part of a message is equal whenever
    it is sent again. Servers reuse a prefix only when all of it is equal.

    Args:
        config: the settings of the server.
        model: the name under which the model is served.
        stops: ids of the tokens that end a turn.
        own_system: the chat template writes a system turn where none is given.
        client, counters, condition: shared by all that belongs to this server.
    """

    def __init__(
        self,
        config: ServerConfig,
        model: str,
        stops: Sequence[int],
        own_system: bool,
        client: HttpClient,
        counters: Counters,
        condition: Condition,
    ) -> None:
        self.client, self.counters, self.known = client, counters, KnownMedia()
        self.can = Abilities.expected(config)
        self._condition, self._own_system, self._stops = condition, own_system, sorted(set(stops))
        self._sent = 0  # requests
        self._named_again = 0  # number of the request from which on frames are named again
        self._losses: deque[int] = deque(maxlen=LOSSES)  # the requests whose frames were lost
        self._extra = config.body
        self._names: dict[str, str] = {}  # of fields that the server calls otherwise
        self._base: dict[str, Any] = {"model": model, "temperature": 0.0}
        if config.tenant and config.dialect == "vllm":
            self._base["cache_salt"] = hashlib.sha256(
                b"aura prefix " + config.tenant.encode()
            ).hexdigest()

    def _decoding(self) -> dict[str, Any]:
        options: dict[str, Any] = {"logprobs": True, "top_logprobs": TOP}
        if self.can.token_ids:
            options |= {
                "return_tokens_as_token_ids": True,
                "skip_special_tokens": False,
                "stop_token_ids": self._stops,
            }
        return options

    def stream(
        self, conversation: Conversation, tokens: int, then: Callable[[EventStream], T]
    ) -> T:
        """Stream up to `tokens` tokens; `then` gets the events, and reads the first of them."""
        options = {
            **self._decoding(),
            "max_tokens": tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        return self._send(conversation, options, lambda body: then(self.client.stream(body)))

    def decide(
        self, conversation: Conversation, wanted: Sequence[int] | None = None
    ) -> dict[str, Any]:
        """Ask for one token in one reply; `wanted` are ids whose log-probabilities are told.

        A server that tells no ids is asked for a few tokens: a word may be more than one.
        """
        options = {**self._decoding(), "max_tokens": 1 if self.can.token_ids else WORD_TOKENS}
        if wanted is not None and self.can.token_ids and self.can.logprobs:
            options["logprob_token_ids"] = sorted(wanted)
        return self._send(conversation, options, self.client.post)

    def probe(self, conversation: Conversation, **options: Any) -> dict[str, Any]:
        """One request for one token with these options, sent as it is: no retry, no resend."""
        body = self._body(conversation, {**self._decoding(), "max_tokens": 1, **options}, False)[0]
        return self.client.post(body)

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

        When the server may have lost a uuid, the body is sent once more with the bytes of all
        chunks. If the error has another cause, it comes again.
        """
        if self._own_system and (not conversation.turns or conversation.turns[0][0] != "system"):
            raise ModelError(
                "the checkpoint's chat template writes a system turn of its own: set a"
                " system_prompt"
            )

        if not self.can.uuids and 0 < self._named_again <= self._sent:
            self.can, self._named_again = replace(self.can, uuids=True), 0
            self._condition.end("media")
            self._losses.clear()

        def attempt(with_all_bytes: bool) -> T:
            body, sent, named = self._body(conversation, options, with_all_bytes)
            self._sent += 1
            try:
                result = send(body)
            except HttpError as e:
                if isinstance(e, RefusedError) and self.adapt(e):
                    return attempt(with_all_bytes)
                if not (named and _perhaps_lost(e)):
                    raise
                self.known.clear()  # the cache dropped one, or the server was restarted
                self.counters.add(resends=1)
                result = attempt(True)
                self._lost()
                return result
            self.known.add(sent)
            return result

        return self.client.retry(lambda: attempt(False))

    def _body(
        self, conversation: Conversation, options: dict[str, Any], all_bytes: bool
    ) -> tuple[dict[str, Any], list[Media], int]:
        """A body, the chunks in it with their bytes, and the number of those named by uuid only."""
        uuids = self.can.uuids
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
        turn = {}
        if self.can.continuation:
            goes_on = conversation.continues
            turn = {"add_generation_prompt": not goes_on, "continue_final_message": goes_on}
        body = {**self._base, "messages": messages, **turn, **options}
        if not self.can.logprobs:  # they may just have been given up
            body = {k: v for k, v in body.items() if k not in ("logprobs", "top_logprobs")}
        body = {self._names.get(k, k): v for k, v in body.items()} | self._extra
        return {k: v for k, v in body.items() if k and v is not None}, sent, named

    def adapt(self, error: RefusedError) -> bool:
        """Give up a field that was refused, from now on; False where it is none of them.

        For any server: vLLM takes all that is sent to it.
        """
        said = error.said.lower()
        if self.can.token_ids or not any(words in said for words in _UNSUPPORTED):
            return False
        if "logprob" in said and self.can.logprobs:
            self.can = replace(self.can, logprobs=False)
            return True
        for field, name in _OTHERWISE.items():
            if field in said and field not in self._names:
                self._names[field] = name
                return True
        return False

    def empty(self, finish: str | None) -> None:
        """Note a reply without a word, and why it ended."""
        if finish == "length":
            self._condition.say(
                "empty",
                f"{self.client.url}: the server's replies hold no words, and end at their limit: a"
                " model that thinks first must be told not to, see server.extra_body",
            )

    def _lost(self) -> None:
        """Note that the server had lost a frame; where it does so again and again, name no more."""
        self._losses.append(self._sent)
        if len(self._losses) < LOSSES or self._sent - self._losses[0] > WITHIN:
            return
        self.can = replace(self.can, uuids=False)
        self._named_again = self._sent + AGAIN  # a server that was restarted often holds them now
        self._condition.say(
            "media",
            f"{self.client.url}: the server's media cache holds less than one window, so every"
            " frame goes with each request; give it more (vLLM: --mm-processor-cache-gb 8), or set"
            " server.media_uuids: false",
        )


def _perhaps_lost(error: HttpError) -> bool:
    """Whether the server may lack a chunk that was named by its uuid only."""
    spoken = any(words in error.said.lower() for words in _MISSED)
    return error.status in _REFUSED or (error.status == _BROKEN and spoken)
