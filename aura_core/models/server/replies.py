"""The replies of a chat server as the engine needs them: token ids and logits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aura_core.errors import ModelError
from aura_core.http_client import TransientError
from aura_core.models.chat import HFTokenizer

# Number of most likely tokens that are asked for: the most that vLLM gives by default and that
# OpenAI's API allows.
TOP = 20
_NEVER = -1e4  # log-probability of an impossible token: finite, and far below every real one


class Token:
    """One generated token: its id, and the log-probabilities that it was chosen from.

    The server reports the `TOP` most likely tokens. The rest of the probability is spread evenly
    over all others, so the softmax of the vector gives the reported ones exactly.
    """

    def __init__(self, token_id: int, known: dict[int, float]) -> None:
        self.id = token_id
        self._known = {i: max(p, _NEVER) for i, p in known.items()}

    def logits(self, vocabulary: int) -> NDArray[np.float32]:
        """Float32 log-probabilities (vocabulary,); the chosen token's is the largest."""
        known = {i: p for i, p in self._known.items() if i < vocabulary}
        rest = 1.0 - sum(math.exp(p) for p in known.values())
        others = vocabulary - len(known)
        floor = math.log(rest / others) if others and rest > 1e-9 else _NEVER
        out = np.full(vocabulary, min(floor, min(known.values()) - 1e-3), np.float32)
        for i, p in known.items():
            out[i] = p
        # Of two equal tokens the server has chosen one; rounding must not choose the other.
        out[self.id] = np.nextafter(out.max(), np.float32(np.inf), dtype=np.float32)
        return out


def certain(token_id: int, vocabulary: int) -> NDArray[np.float32]:
    """Float32 log-probabilities (vocabulary,) when only `token_id` is possible."""
    out = np.full(vocabulary, _NEVER, np.float32)
    out[token_id] = 0.0
    return out


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

    def choice(self, reply: dict[str, Any]) -> dict[str, Any] | None:
        """The first choice of a reply or an event; None for an event that holds only counts."""
        choices = reply.get("choices")
        if isinstance(choices, list) and not choices and isinstance(reply.get("usage"), dict):
            return None
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            raise TransientError(
                f"{self._url}: a reply without choices: {str(reply)[:200]}; see the server's log"
            )
        return choices[0]

    def tokens(self, choice: dict[str, Any]) -> list[Token]:
        """The tokens of a choice; none in the first and last events of a stream.

        Raises `ModelError`.
        """
        logprobs = choice.get("logprobs")
        content = logprobs.get("content") if isinstance(logprobs, dict) else None
        if content is None:
            text = (choice.get("delta") or choice.get("message") or {}).get("content")
            if text:
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
