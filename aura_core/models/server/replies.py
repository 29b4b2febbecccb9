"""The replies of a chat server as the engine needs them: token ids and logits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Protocol

from aura_core.errors import ModelError
from aura_core.http_client import TransientError
from aura_core.models.server.text_tokens import Encoder, TextTokens
from aura_core.models.server.tokens import Token

if TYPE_CHECKING:
    from aura_core.models.chat import HFTokenizer

# Number of most likely tokens that are asked for: the most that vLLM gives by default and that
# OpenAI's API allows.
TOP = 20


def choice_of(reply: dict[str, Any], url: str) -> dict[str, Any] | None:
    """The first choice of a reply or an event; None for an event that holds only counts.

    Raises `TransientError` for what is no chat completion; `url` is named in it.
    """
    choices = reply.get("choices")
    if isinstance(choices, list) and not choices and isinstance(reply.get("usage"), dict):
        return None
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise TransientError(
            f"{url}: a reply without choices: {str(reply)[:200]}; see the server's log"
        )
    return choices[0]


def text_of(choice: dict[str, Any]) -> str:
    """The text of a choice, of a whole reply or of an event of a stream; "" without one."""
    said = choice.get("delta") or choice.get("message")
    text = said.get("content") if isinstance(said, dict) else None
    if isinstance(text, list):
        parts = (part.get("text") for part in text if isinstance(part, dict))
        text = "".join(part for part in parts if isinstance(part, str))
    return text if isinstance(text, str) else ""


class Reading(Protocol):
    """Reads the tokens of one reply."""

    def tokens(self, choice: dict[str, Any]) -> list[Token]:
        """The tokens of the reply's choice, or of the next event of its stream."""
        ...


class Replies(Protocol):
    """Reads the replies of a server."""

    vocabulary: int

    def begin(self) -> Reading:
        """What reads one reply."""
        ...


class ReplyReader:
    """Reads the tokens of replies.

    A token's id comes as `token_id:N` (vLLM, when asked for it), or is found by the token's text.

    Args:
        tokenizer: the checkpoint's tokenizer.
        vocabulary: number of the model's tokens.
        url: the server, for messages.
    """

    def __init__(self, tokenizer: HFTokenizer, vocabulary: int, url: str) -> None:
        self.vocabulary = vocabulary
        self._tokenizer, self._url = tokenizer, url
        self._by_text: dict[str, int] | None = None

    def begin(self) -> ReplyReader:
        """What reads one reply: this reader keeps nothing between two."""
        return self

    def tokens(self, choice: dict[str, Any]) -> list[Token]:
        """The tokens of a choice; none in the first and last events of a stream.

        Raises `ModelError`.
        """
        logprobs = choice.get("logprobs")
        content = logprobs.get("content") if isinstance(logprobs, dict) else None
        if content is None:
            if text_of(choice):
                raise ModelError(
                    f"{self._url}: a reply without logprobs, from which silence is read; serve the"
                    " model so that logprobs=true and top_logprobs=20 are allowed (vLLM:"
                    " --max-logprobs 20)"
                )
            return []
        try:
            return [self._token(entry) for entry in content]
        except (TypeError, KeyError, AttributeError, ValueError) as e:
            raise TransientError(
                f"{self._url}: logprobs of an unknown form: {str(content)[:200]}"
            ) from e

    def _token(self, entry: dict[str, Any]) -> Token:
        token = self._id(entry["token"])
        if token is None or token >= self.vocabulary:
            raise ModelError(
                f"{self._url}: the server's token {entry['token']!r} is not in the tokenizer of"
                " model.path; it must serve the same checkpoint, and name tokens by id (vLLM does,"
                " by return_tokens_as_token_ids)"
            )
        known = {token: float(entry["logprob"])}
        for other in entry.get("top_logprobs") or []:
            i = self._id(other["token"])
            if i is not None:
                known.setdefault(i, float(other["logprob"]))
        if not all(math.isfinite(p) or p == -math.inf for p in known.values()):
            raise ModelError(
                f"{self._url}: the model returned log-probabilities that are not numbers"
            )
        return Token(token, known)

    def _id(self, token: str) -> int | None:
        if token.startswith("token_id:"):
            return int(token[len("token_id:") :])
        if self._by_text is None:
            table: dict[str, int] = {}
            for i in sorted(self._tokenizer.inner.get_vocab().values(), reverse=True):
                table[self._tokenizer.written([i])] = i
            table.pop("\ufffd", None)  # every incomplete character has this text
            self._by_text = table
        found = self._by_text.get(token)
        return self._tokenizer.single(token) if found is None else found


class TextReader:
    """Reads replies by their text, where a server tells no ids of the tokenizer used here.

    Args:
        tokenizer: cuts texts into tokens.
        vocabulary: number of its tokens.
        held: special tokens as text, such as the silent one, that a reply may consist of.
    """

    def __init__(self, tokenizer: Encoder, vocabulary: int, held: tuple[str, ...]) -> None:
        self.vocabulary = vocabulary
        self._tokenizer, self._held = tokenizer, held

    def begin(self) -> TextReading:
        """What reads one reply."""
        return TextReading(TextTokens(self._tokenizer, self._held))


class TextReading:
    """Reads one reply by its text. Where probabilities are told, the first token has them."""

    def __init__(self, tokens: TextTokens) -> None:
        self._tokens = tokens

    def tokens(self, choice: dict[str, Any]) -> list[Token]:
        """The tokens that are complete with this choice or event."""
        logprobs = choice.get("logprobs")
        entries = logprobs.get("content") if isinstance(logprobs, dict) else None
        usable = [e for e in entries or [] if isinstance(e, dict)]
        last = bool(choice.get("finish_reason")) or "message" in choice
        return self._tokens.take(text_of(choice), last, usable)
