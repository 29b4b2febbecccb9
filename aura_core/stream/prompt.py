"""PromptCodec: the only place that makes token ids, for inference and for training.

The conversation has AURA's form (arXiv 2604.04184). First come a system turn and the text of
earlier questions and answers whose video has left the window. Then each chunk has one user turn
(its video, and the question if it was asked in this chunk) and one assistant turn (words, or only
the silent token).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aura_core.models.backend import ChatFormat, Piece, Seen, Tokenizer, Tokens
from aura_core.models.tool_form import without_markers
from aura_core.stream.prefix import Prefix, QAGroup

MOST_CONSTANTS = 256


class PromptCodec:
    """Turns as pieces of the prompt; together they are what the chat template would write.

    Args:
        tokenizer: the checkpoint's tokenizer.
        chat: its chat format.
        system_prompt: instead of the checkpoint's own.
        tools: definitions of the tools that the model may call (`Tool.definition`). `chat.tools`
            must be given then.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        chat: ChatFormat,
        system_prompt: str | None = None,
        tools: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self.tokenizer, self.chat = tokenizer, chat
        self.system_prompt = chat.system_prompt if system_prompt is None else system_prompt
        self.tools = chat.tools if tools else None
        if self.tools is not None:
            parts = (self.system_prompt, self.tools.definitions(tools))
            self.system_prompt = "\n\n".join(filter(None, parts))
        # Markers of calls that `decode` leaves out, by id: the tokenizer marks them as special.
        self._hidden = self._hidden_markers()
        self._constant: dict[str, Tokens] = {}  # tokens of the texts around a chunk, by text
        # The template's text after the end token. The end token itself is added by `assistant`.
        self._after_end = self._ids(chat.assistant[1])[1:]
        self.silence: tuple[int, ...] = (chat.silent_id,) if chat.silent_id != chat.end_id else ()

    def prefix(self, groups: Iterable[QAGroup] = (), memory: str = "") -> Prefix:
        """A prefix with this codec's system prompt."""
        return Prefix(self.system_prompt, memory, tuple(groups))

    def head(self, prefix: Prefix) -> Tokens:
        """The tokens before the video: system turn, then earlier questions and answers."""
        c = self.chat
        system = "\n\n".join(part for part in (prefix.system, self.plain(prefix.memory)) if part)
        text = c.system[0] + system + c.system[1] if system else c.begin
        for group in prefix.groups:
            text += c.user[0] + c.ask + self.plain(group.question) + c.user[1]
            text += c.assistant[0] + c.lead + self.plain("\n".join(group.answers)) + c.assistant[1]
        return Tokens(self._ids(text))

    def user(self, seen: Seen, question: str | None, result: str | None = None) -> list[Piece]:
        """The chunk's user turn and the assistant header after it.

        The last piece holds everything after the chunk's video: the question, or the `result` of a
        call.
        """
        c = self.chat
        begin, *inner, end = c.chunk.parts(seen)
        close = c.user[1] + c.assistant[0]
        between = [self._fixed(p) if isinstance(p, str) else p for p in inner]
        if result is not None and self.tools is not None:
            after = Tokens(self._ids(f"{end}{self.tools.result(self.plain(result))}{close}"))
        elif question:
            after = Tokens(self._ids(f"{end}{c.ask}{self.plain(question)}{close}"))
        else:
            after = self._fixed(f"{end}{close}")
        return [self._fixed(f"{c.user[0]}{begin}"), *between, after]

    def assistant(self, answer_ids: Sequence[int] | None) -> Tokens:
        """What follows the assistant header: the answer and the end of the turn.

        `answer_ids` are its token ids; None: silence.
        """
        ids = self.silence if answer_ids is None else tuple(answer_ids)
        return Tokens((*ids, self.chat.end_id, *self._after_end))

    def question_tokens(self, question: str) -> int:
        """Number of tokens that `question` adds to a user turn."""
        return len(self.tokenizer.encode(self.plain(question)))

    def plain(self, text: str) -> str:
        """Text from outside as it stands in the prompt.

        It has no blanks at its ends, the tokenizer reads no special token in it, and with tools it
        holds no marker of a call.
        """
        plain = self.tokenizer.plain(text.strip())
        return plain if self.tools is None else without_markers(self.tools, plain)

    def answer_ids(self, text: str) -> tuple[int, ...]:
        """Token ids of an answer that comes as text: what was said aloud, or a training answer.

        There is no special token among them.
        """
        return self._ids(self.chat.lead + self.tokenizer.plain(text))

    def text(self, ids: Sequence[int]) -> str:
        """The text of an answer; with tools, markers of calls are written in it."""
        if not self._hidden:
            return self.tokenizer.decode(ids).strip()
        text, run = "", []
        for i in (*ids, None):
            if i is not None and i not in self._hidden:
                run.append(i)
                continue
            text += self.tokenizer.decode(run) + self._hidden.get(i, "")
            run = []
        return text.strip()

    def words(self, text: str, final: bool = False) -> str:
        """The part of an answer that may be said, see `ToolForm.words`; all of it without tools."""
        return text if self.tools is None else self.tools.words(text, final)

    def _hidden_markers(self) -> dict[int | None, str]:
        if self.tools is None:
            return {}
        ids = {marker: self._ids(marker) for marker in self.tools.markers}
        single = {i[0]: marker for marker, i in ids.items() if len(i) == 1}
        return {i: marker for i, marker in single.items() if not self.tokenizer.decode([i])}

    def _fixed(self, text: str) -> Tokens:
        if text not in self._constant:
            # A family may write a different text in each chunk, such as the time.
            if len(self._constant) >= MOST_CONSTANTS:
                self._constant.clear()
            self._constant[text] = Tokens(self._ids(text))
        return self._constant[text]

    def _ids(self, text: str) -> tuple[int, ...]:
        return tuple(self.tokenizer.encode(text))
