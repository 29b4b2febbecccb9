"""The chat double with a model behind it, in place of vLLM.

It takes nothing from the client's code. Messages go through the checkpoint's own chat template and
tokenizer, frames are decoded from their bytes, and every request is computed with an empty cache.
It enforces what makes reuse possible: a request must extend an earlier prompt (unless a new one was
announced), and a uuid without bytes must be known. It can be told to fail, one request after
another.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from chat_double import ChatDouble, Fault, Reply, Request, Stream, refusal
from vllm_refusals import refusal_of

from aura_core.models.backend import Piece, Tokens, Video
from aura_core.types import Chunk, Frame

PAD = "<|video_pad|>"
PLACE = f"<|vision_start|>{PAD}<|vision_end|>"
FRAME_TIMES = 0.5  # seconds between the two: the server was started with --media-io-kwargs
Key = int | str  # a text token, or a frame's uuid


@dataclass(frozen=True)
class Entry:
    """One answered request: tokens of its prompt, and how many of these had been sent before."""

    prompt: int
    reused: int
    stream: bool
    max_tokens: int
    new_media: int
    made: tuple[int, ...]  # tokens that were generated
    body: dict[str, Any]
    authorization: str | None


class Refusal(Exception):
    """A 4xx with vLLM's body."""


class ModelDouble(ChatDouble):
    """The server; use it as a context manager.

    It knows more faults: no_choices, no_logprobs, forget (loses all media first), silent_stop (ends
    a stream without its last token).

    Args:
        model: an opened `LocalBackend`, which computes.
        template: its chat template.
        new_prefixes: number of prompts that may extend no earlier one; add to it to announce a
            switch.
    """

    def __init__(self, model: Any, template: str, new_prefixes: int = 1) -> None:
        super().__init__()
        self.model, self.template, self.new_prefixes = model, template, new_prefixes
        self.log: list[Entry] = []
        self.media: dict[str, tuple[str, Video]] = {}
        self.seen: list[list[tuple[Key, int]]] = []  # all that could be in a prefix cache
        self._tips: list[list[tuple[Key, int]]] = []  # the newest prompt of each conversation

    def forget(self) -> None:
        """Lose all media, as a server does when it is restarted."""
        with self.lock:
            self.media.clear()

    def reply(self, request: Request) -> Reply | Stream:
        """The reply, as vLLM would send it."""
        body, fault = request.body, request.fault
        if fault.kind == "no_choices":
            stream = 'data: {"choices":[]}\n\ndata: [DONE]\n\n'
            return Reply(stream if body.get("stream") else {"choices": []})
        if fault.kind == "forget":
            self.forget()
        if (refused := refusal_of(body)) is not None:
            return refusal(refused[1])
        try:
            with self.lock:
                pieces, keys, new = self.pieces(body)
                reused = self.accept(keys)
                made = list(self.generate(pieces, body))
                tokens = tuple(t for t, _ in made)
                self.seen.append(keys + [(t, 1) for t in tokens])
                prompt, stream = sum(len(p) for p in pieces), bool(body.get("stream"))
                self.log.append(
                    Entry(
                        prompt,
                        reused,
                        stream,
                        body["max_tokens"],
                        new,
                        tokens,
                        body,
                        request.authorization,
                    )
                )
        except Refusal as e:
            return refusal(str(e))
        usage = {
            "prompt_tokens": prompt,
            "completion_tokens": len(made),
            "prompt_tokens_details": {"cached_tokens": reused},
        }
        stop = body.get("stop_token_ids", [self.model.chat.end_id])
        finish = "stop" if tokens[-1] in stop else "length"
        choices = [self._choice(token, p, body, fault) for token, p in made]
        if not stream:
            value = {"choices": [choices[0] | {"finish_reason": finish}], "usage": usage}
            if body.get("return_token_ids"):
                value["prompt_token_ids"] = self._ids(pieces)
            return Reply(value)
        choices[-1]["finish_reason"] = finish
        if fault.kind == "silent_stop":
            choices[-1] |= {"logprobs": None, "delta": {}}
        return Stream(choices, usage)

    @property
    def pad(self) -> int:
        """The id of a visual token."""
        return int(self.model.tokenizer.inner.convert_tokens_to_ids(PAD))

    def _ids(self, pieces: list[Piece]) -> list[int]:
        """The ids of a prompt; each visual token is the pad."""
        runs = ([self.pad] * len(p) if isinstance(p, Video) else list(p.ids) for p in pieces)
        return [i for run in runs for i in run]

    def _choice(
        self, token: int, p: np.ndarray, body: dict[str, Any], fault: Fault
    ) -> dict[str, Any]:
        text = self.model.tokenizer.inner.decode([token])
        said = "delta" if body.get("stream") else "message"
        choice: dict[str, Any] = {"index": 0, said: {"content": text}, "finish_reason": None}
        if body.get("logprobs") and fault.kind != "no_logprobs":
            best = np.argsort(-p, kind="stable")[: body["top_logprobs"]]
            if asked := body.get("logprob_token_ids"):
                best = [token, *(i for i in asked if i != token)]
            top = [{"token": f"token_id:{i}", "logprob": float(p[i])} for i in best]
            told = {"token": f"token_id:{token}", "logprob": float(p[token]), "top_logprobs": top}
            choice["logprobs"] = {"content": [told]}
        return choice

    # ---- one request -------------------------------------------------------------------------

    def pieces(self, body: dict[str, Any]) -> tuple[list[Piece], list[tuple[Key, int]], int]:
        """The prompt: its pieces, keys with their lengths, and the number of frames with bytes."""
        videos: list[tuple[str, Video]] = []
        messages, new = [], 0
        for m in body["messages"]:
            content = m["content"]
            if isinstance(content, list):
                parts: list[dict[str, Any]] = []
                for part in content:
                    if part["type"] == "text":
                        parts.append(part)
                        continue
                    assert part["type"] == "video_url", part["type"]
                    new += part["video_url"] is not None
                    videos.append(self._video(part, len(videos)))
                    parts.append({"type": "video"})
                content = parts
            messages.append({"role": m["role"], "content": content})
        tokenizer = self.model.tokenizer.inner
        text = tokenizer.apply_chat_template(
            messages,
            chat_template=self.template,
            tokenize=False,
            add_generation_prompt=body.get("add_generation_prompt", True),
            continue_final_message=body.get("continue_final_message", False),
        )
        assert text.count(PLACE) == text.count(PAD) == len(videos)
        if (
            self.model.family.model_type == "qwen3_vl"
        ):  # its processor writes the time of each pair of frames
            text = text.replace(PLACE, f"<{FRAME_TIMES / 2:.1f} seconds>{PLACE}")
        pieces: list[Piece] = []
        keys: list[tuple[Key, int]] = []
        left = iter(videos)
        for token in tokenizer.encode(text, add_special_tokens=False):
            if token == self.pad:
                uuid, video = next(left)
                pieces.append(video)
                keys.append((uuid, len(video)))
            else:
                pieces.append(Tokens((token,)))
                keys.append((token, 1))
        return _joined(pieces), keys, new

    def _video(self, part: dict[str, Any], index: int) -> tuple[str, Video]:
        url = part["video_url"]
        uuid = part["uuid"] if "uuid" in part else url["url"]
        if url is None:
            if uuid not in self.media:
                raise Refusal(f"Cache miss for video at index {index} but data is not provided.")
            return uuid, self.media[uuid][1]
        data = url["url"]
        if uuid in self.media:
            assert self.media[uuid][0] == data, "one uuid for two contents"
            return uuid, self.media[uuid][1]
        head, *coded = re.split("base64,|,", data.removeprefix("data:"))
        assert head == "video/jpeg;" and len(coded) == 2, head
        images = [
            cv2.imdecode(np.frombuffer(base64.b64decode(c), np.uint8), cv2.IMREAD_COLOR)
            for c in coded
        ]
        frames = tuple(Frame(cv2.cvtColor(i, cv2.COLOR_BGR2RGB), n) for n, i in enumerate(images))
        self.media[uuid] = (data, self.model.encode(Chunk(0, frames, 0, 1)))
        return uuid, self.media[uuid][1]

    def accept(self, keys: list[tuple[Key, int]]) -> int:
        """Number of tokens of the longest prefix that an earlier request had.

        Refuses a prompt that extends none.
        """
        header = len(self.model.tokenizer.encode(self.model.chat.assistant[0]))
        best = max((sum(n for _, n in keys[: _same(old, keys)]) for old in self.seen), default=0)
        # A prompt that was only warmed ends in a header that is not in the next one.
        tips = [tip for tip in self._tips if _same(tip, keys) >= len(tip) - header]
        if tips:
            self._tips.remove(max(tips, key=len))
        elif self.new_prefixes:
            self.new_prefixes -= 1
        else:
            raise Refusal(f"prefix violation: {best} of {sum(n for _, n in keys)} tokens are known")
        self._tips.append(keys)
        return best

    def generate(
        self, pieces: list[Piece], body: dict[str, Any]
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Greedy tokens with float64 log-probabilities (vocabulary,), the stop token included."""
        session = self.model.open()
        logits = session.prefill(pieces)
        for _ in range(body["max_tokens"]):
            z = logits.astype(np.float64)
            logprobs = z - z.max() - np.log(np.exp(z - z.max()).sum())
            token = int(logits.argmax())
            yield token, logprobs
            if token in body.get("stop_token_ids", []) or token == self.model.chat.end_id:
                return
            logits = session.prefill([Tokens((token,))])


def _same(old: list[tuple[Key, int]], new: list[tuple[Key, int]]) -> int:
    """Number of entries that both begin with."""
    return next(
        (i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b),
        min(len(old), len(new)),
    )


def _joined(pieces: list[Piece]) -> list[Piece]:
    """The pieces, with neighbouring runs of tokens joined."""
    out: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, Tokens) and out and isinstance(out[-1], Tokens):
            out[-1] = Tokens((*out[-1].ids, *piece.ids))
        else:
            out.append(piece)
    return out
