"""What a server can do, found out by a few small requests before the first decision.

A server that lacks something fails late or not at all: it goes on with another prompt, or in
silence. So it is asked once, what it lacks is not used, and both are said in one line.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from aura_core.errors import ModelError
from aura_core.http_client import HttpError, RefusedError
from aura_core.models.backend import Pictures, Piece, Tokens, Video
from aura_core.models.server.condition import Condition
from aura_core.models.server.conversation import Conversation, Reader
from aura_core.models.server.media import MediaCodec
from aura_core.models.server.prompt_check import MISMATCH, cause
from aura_core.models.server.replies import choice_of
from aura_core.models.server.requests import Requests
from aura_core.models.server.side import Side
from aura_core.types import Chunk, Frame

_log = logging.getLogger(__name__)
LACKS = {
    "logprobs": "probabilities (the text decides)",
    "continuation": "continued turns (a long answer is cut)",
}
SIDE = 64  # pixels of the probe's frames
OTHER_WORDS = (
    "the server writes other words into the prompt. Qwen3-VL's processor writes the time of the"
    """ frames: start vLLM with --media-io-kwargs '{"video": {"fps": 2.0}}'"""
)
QUESTION, BEGUN = "Which colour is it?", "It is"


class Probe:
    """Asks the server once. What it finds goes into `requests.can`, `told` and the condition.

    Args:
        requests: sends the requests.
        side: the tokenizer and the chat format.
        media: compresses the frames.
        condition: where a prompt that differs is told.
        wanted: ask at all; else the server is taken to be able to do all of its dialect.
    """

    def __init__(
        self, requests: Requests, side: Side, media: MediaCodec, condition: Condition, wanted: bool
    ) -> None:
        self._requests, self._side, self._media = requests, side, media
        self._condition = condition
        self._reader = Reader(side.tokenizer, side.chat)
        self._done = not wanted
        self._lock = threading.Lock()
        self._prompt = ""

    @property
    def told(self) -> str:
        """What the server can do, in words."""
        can = self._requests.can
        frames = f"frames as {'a video' if can.video else 'two images'},"
        frames += f" {'each sent once' if can.uuids else 'sent with each request'}"
        lacks = [words for name, words in LACKS.items() if not getattr(can, name)]
        told = frames + (f", without {' and '.join(lacks)}" if lacks else "")
        return f"{told}, {self._prompt}" if self._prompt else told

    def once(self) -> None:
        """Ask, if that was not done yet.

        Raises `ModelError` where the server cannot be used at all, or is not there; then it is
        asked again the next time.
        """
        with self._lock:
            if self._done:
                return
            self._ask()
            self._done = True
        _log.info("%s: %s", self._requests.client.url, self.told)

    def _ask(self) -> None:
        requests = self._requests
        conversation, pieces = self._conversation()
        reply = self._first(conversation)
        if requests.can.token_ids:
            self._compare(reply, pieces, conversation.chunks)
            self._without_logprobs(reply)
            self._uuids(conversation)
            self._continuation(conversation, reply)
        elif (choice_of(reply, requests.client.url) or {}).get("logprobs") is None:
            requests.can = replace(requests.can, logprobs=False)

    def _first(self, conversation: Conversation) -> dict[str, Any]:
        """The reply to the first request; without what the server refuses."""
        requests = self._requests
        options = {"return_token_ids": True} if requests.can.token_ids else {}
        while True:
            try:
                return requests.client.retry(lambda: requests.probe(conversation, **options))
            except RefusedError as e:
                if not requests.adapt(e):  # it gives up each field once
                    raise self._unusable(e) from e

    def _unusable(self, error: RefusedError) -> ModelError:
        """What to do about a server that refuses the first request."""
        if error.status in (401, 403, 404):
            return error
        if self._requests.can.token_ids:
            media = "videos" if self._requests.can.video else "images"
            return ModelError(
                f"{error}. This is no vLLM that runs the checkpoint in model.path with {media}:"
                " docs/server.md tells how to start one; for another server set server.dialect:"
                " openai"
            )
        return ModelError(
            f"{error}. It refuses a message with images: the model must see images, and what the"
            " server wants differently goes into server.extra_body"
        )

    def _compare(self, reply: dict[str, Any], pieces: Sequence[Piece], chunks: int) -> None:
        """Whether the server makes the same token ids of the messages."""
        made = reply.get("prompt_token_ids")
        if not isinstance(made, list) or not all(isinstance(i, int) for i in made):
            return  # an older server: prompts are compared by their length, see `PromptCheck`
        expected = _flat(pieces)
        same = [e is None or e == m for e, m in zip(expected, made, strict=False)]
        if all(same) and len(made) == len(expected):
            self._prompt = "prompts equal to the token"
            return
        at = same.index(False) if not all(same) else min(len(made), len(expected))
        written = self._side.tokenizer.written
        ours = written([i for i in expected[at : at + 6] if i is not None])
        differ = f"(here {ours!r}, there {written(made[at : at + 6])!r})"
        more = len(made) - len(expected)
        why = cause(more, chunks) if more else OTHER_WORDS
        # of an equal length, it is not noticed by what ends MISMATCH
        name = MISMATCH if more else "words"
        self._condition.say(name, f"{self._requests.client.url}: {why} {differ}")
        self._prompt = "its prompts differ"

    def _without_logprobs(self, reply: dict[str, Any]) -> None:
        """Read decisions from the text where no probabilities are told."""
        choice = choice_of(reply, self._requests.client.url) or {}
        logprobs = choice.get("logprobs")
        if isinstance(logprobs, dict) and logprobs.get("content"):
            return
        raise ModelError(
            f"{self._requests.client.url}: a reply without logprobs, from which silence is read;"
            " serve the model so that logprobs=true and top_logprobs=20 are allowed (vLLM:"
            " --max-logprobs 20), or set server.dialect: openai"
        )

    def _uuids(self, conversation: Conversation) -> None:
        requests = self._requests
        if not requests.can.uuids:
            return
        requests.known.add([v.features for _, v, _ in conversation.turns if v is not None])
        try:
            requests.client.retry(lambda: requests.probe(conversation))
        except HttpError as e:
            if e.status not in (400, 422, 500):
                raise
            requests.can = replace(requests.can, uuids=False)
        finally:
            requests.known.clear()

    def _continuation(self, conversation: Conversation, reply: dict[str, Any]) -> None:
        """Whether a turn that was begun is continued, by the length of the prompt."""
        requests = self._requests
        begun = Conversation(conversation.turns, BEGUN)
        try:
            continued = requests.client.retry(lambda: requests.probe(begun))
        except RefusedError:
            requests.can = replace(requests.can, continuation=False)
            return
        before, after = _length(reply), _length(continued)
        more = len(self._side.tokenizer.encode(BEGUN))
        if before is not None and after is not None and after - before != more:
            requests.can = replace(requests.can, continuation=False)

    def _conversation(self) -> tuple[Conversation, list[Piece]]:
        """A system turn, and a question about two frames; as messages, and as the engine has it."""
        chat, tokenizer = self._side.chat, self._side.tokenizer
        dark, bright = (np.full((SIDE, SIDE, 3), v, np.uint8) for v in (40, 200))
        seen = self._media.encode(Chunk(0, (Frame(dark, 0), Frame(bright, 500_000_000)), 0, 1))
        runs = seen.runs if isinstance(seen, Pictures) else (seen,)
        pieces: list[Piece] = []

        def add(text: str) -> None:
            if text:
                pieces.append(Tokens(tuple(tokenizer.encode(text))))

        add(chat.system_prompt.join(chat.system) + chat.user[0])
        for part in chat.chunk.parts(seen):
            if isinstance(part, Video):
                pieces.append(part)
            else:
                add(part)
        add(QUESTION + chat.user[1] + chat.assistant[0])
        read = self._reader.read(pieces)
        assert read.said == "" and runs[0] is read.turns[-1][1]
        return read, pieces


def _flat(pieces: Sequence[Piece]) -> list[int | None]:
    """All ids; None for each visual token."""
    out: list[int | None] = []
    for piece in pieces:
        out += [None] * len(piece) if isinstance(piece, Video) else list(piece.ids)
    return out


def _length(reply: dict[str, Any]) -> int | None:
    """The length of the prompt that a reply reports."""
    usage = reply.get("usage")
    total = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    return total if isinstance(total, int) else None
