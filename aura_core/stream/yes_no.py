"""Silent or speak with any plain VLM: once a second it is asked, yes or no, whether something has
to be said.

The yes-or-no question takes the place of the end of the chunk's user turn and is rolled back after
its answer has been read, so the conversation never shows it, and a silent step is one call of the
model and no decode, as with a checkpoint that was trained to decide. Where it says yes, the user
turn gets a short request to report.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from aura_core.config import DeciderConfig
from aura_core.errors import ModelError
from aura_core.models.backend import Tokens, Video
from aura_core.stream.prompt import PromptCodec

NO, YES = 0, 1  # of `YesNo.verdict`
SILENT = (NO,)
_WORDS = (("no", "No", "NO", " no", " No"), ("yes", "Yes", "YES", " yes", " Yes"))
_ANYTHING = "whatever the instructions call for"


class YesNo:
    """Prompts of the per-second question, and its answer."""

    def __init__(self, codec: PromptCodec, config: DeciderConfig) -> None:
        self._codec, self._config = codec, config
        first = [tuple({codec.tokenizer.encode(w)[0] for w in words}) for words in _WORDS]
        self._ids = [tuple(i for i in ids if i not in first[1 - k]) for k, ids in enumerate(first)]
        if not all(self._ids):
            raise ModelError(
                "the tokenizer does not tell yes from no by its first token; set decider.mode to"
                " token"
            )

    def question(self, video: Video, watches: Sequence[str]) -> Tokens:
        """What stands behind the chunk's video while the model is asked yes or no."""
        return self._rest(video, self._config.yes_no_prompt, watches)

    def request(self, watches: Sequence[str]) -> str:
        """What stands there when it said yes: words to speak for."""
        return self._config.report_prompt.format(watches=_listed(watches))

    def verdict(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits (vocabulary,) of the answer to float32 (2,): no, yes."""
        wide = logits.astype(np.float64)
        return np.asarray([np.logaddexp.reduce(wide[list(ids)]) for ids in self._ids], np.float32)

    def _rest(self, video: Video, prompt: str, watches: Sequence[str]) -> Tokens:
        last = self._codec.user(video, prompt.format(watches=_listed(watches)))[-1]
        assert isinstance(last, Tokens)
        return last


def _listed(watches: Sequence[str]) -> str:
    return "; ".join(watches) or _ANYTHING
