"""Whether the server makes the prompt that the engine counts on.

A server makes the token ids itself, from the messages. Where its chat template, tokenizer or image
processor differ from the checkpoint's, the model sees another prompt than the one that it was
trained with, and nothing fails. So every prompt is compared by its length, which a server reports.
"""

from __future__ import annotations

from typing import Any

from aura_core.models.server.condition import Condition
from aura_core.models.server.counters import Counters

MISMATCH = "prompt"  # the trouble's name
SEEN = 3  # prompts of another length until it is told; an odd one is only counted


class PromptCheck:
    """Books the numbers of tokens that a server reports.

    Args:
        url: the server, for messages.
        counters: where the numbers are added.
        condition: where a prompt of another length is told.
        compares: the tokens are counted here as on the server.
    """

    def __init__(
        self, url: str, counters: Counters, condition: Condition, compares: bool = True
    ) -> None:
        self._url, self._counters, self._condition = url, counters, condition
        self._compares = compares
        self._differing = 0  # prompts in a row

    def book(self, reply: dict[str, Any], length: int, chunks: int) -> None:
        """Count the prompt tokens in a reply or an event that has them.

        `length` is the number of tokens of the prompt as counted here, `chunks` that of its chunks.
        """
        usage = reply.get("usage")
        if not isinstance(usage, dict) or not isinstance(total := usage.get("prompt_tokens"), int):
            return
        details = usage.get("prompt_tokens_details")
        cached = details.get("cached_tokens") if isinstance(details, dict) else None
        self._counters.add(
            prompt_tokens=total,
            cached_tokens=cached if isinstance(cached, int) else 0,
            prompt_mismatches=int(self._compares and total != length),
        )
        if not self._compares or total == length:
            self._differing = 0
            self._condition.end(MISMATCH)
            return
        self._differing += 1
        if self._differing == SEEN:
            self._condition.say(MISMATCH, f"{self._url}: {cause(total - length, chunks)}")


def cause(more: int, chunks: int) -> str:
    """Why a prompt has `more` tokens on the server than here, and what to do."""
    if chunks and more == 2 * chunks:
        return (
            "the server's processor writes the vision markers twice, which the model was not"
            " trained with: start it with --chat-template and the file that `aura template` writes"
        )
    each = f" ({more // chunks} a chunk)" if chunks and more % chunks == 0 else ""
    return (
        f"the server's prompt is {abs(more)} tokens {'longer' if more > 0 else 'shorter'} than the"
        f" checkpoint's{each}: it must serve the checkpoint in model.path, with its own chat"
        " template, and see frames in the same size"
    )
