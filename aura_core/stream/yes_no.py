"""Yes/no decision: silent or speak with a VLM that was not trained to decide.

In each chunk the model is asked a yes/no question: is there something to be said? The question
stands at the end of the chunk's user turn. It is rolled back after its answer was read, so the
conversation never holds it. A silent step is one call of the model and no decode, as with a model
that was trained to decide. After a yes, the user turn ends with a short request to report.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from aura_core.config import DeciderConfig
from aura_core.errors import ModelError
from aura_core.models.backend import Seen, Tokens
from aura_core.stream.prompt import PromptCodec

NO, YES = 0, 1  # indices of `YesNo.verdict`
SILENT = (NO,)
_ANYTHING = "whatever the instructions call for"


class YesNo:
    """The prompts of the yes/no decision, and how its answer is read.

    Raises:
        ModelError: yes and no begin with the same token.
    """

    def __init__(self, codec: PromptCodec, config: DeciderConfig) -> None:
        self._codec, self._config = codec, config
        encode = codec.tokenizer.encode
        found = [tokens_of(words, encode) for words in (config.no_words, config.yes_words)]
        self.ids = tuple(tuple(sorted(ids - found[1 - k])) for k, ids in enumerate(found))
        if not all(self.ids):
            raise ModelError(
                "the tokenizer does not tell yes from no by its first token; set decider.mode to"
                " token, or other words in decider.yes_words and decider.no_words"
            )

    @property
    def wanted(self) -> tuple[int, ...]:
        """The ids of all tokens that mean one of the words."""
        return tuple(i for ids in self.ids for i in ids)

    def question(self, video: Seen, watches: Sequence[str]) -> Tokens:
        """Tokens of the yes/no question; they stand after the chunk's video."""
        return self._rest(video, self._config.yes_no_prompt, watches)

    def request(self, watches: Sequence[str]) -> str:
        """Text of the request to report, which stands in the user turn after a yes."""
        return self._config.report_prompt.format(watches=_listed(watches))

    def verdict(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """The two logits of the decision, [no, yes]: float32 (2,), from logits (vocabulary,).

        Each is the logsumexp over all tokens that mean the word. So the softmax of the two is P(no)
        and P(yes), given that the answer is one of them.
        """
        wide = logits.astype(np.float64)
        return np.asarray([np.logaddexp.reduce(wide[list(ids)]) for ids in self.ids], np.float32)

    def _rest(self, video: Seen, prompt: str, watches: Sequence[str]) -> Tokens:
        return self._codec.asking(video, prompt.format(watches=_listed(watches)))


def _listed(watches: Sequence[str]) -> str:
    return "; ".join(watches) or _ANYTHING


def tokens_of(words: Sequence[str], encode: Callable[[str], Sequence[int]]) -> set[int]:
    """The tokens that mean one of these words as the first token of an answer.

    Each word counts in small letters, with a capital, in capitals, and each of these with a blank
    before it, where that form is a single token. Where no form of any word is one, the tokens that
    begin the first word count: longer words can begin with them too.
    """
    single = {ids[0] for word in words for f in _forms(word) if len(ids := encode(f)) == 1}
    return single or {encode(form)[0] for form in _forms(words[0])}


def _forms(word: str) -> list[str]:
    spelled = dict.fromkeys((word, word.lower(), word.capitalize(), word.upper()))
    return [*spelled, *(f" {form}" for form in spelled)]
