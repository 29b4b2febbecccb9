"""PromptCodec: the only place that makes token ids, for inference and for training.

The conversation has AURA's form (arXiv 2604.04184). First come a system turn and the text of
earlier questions and answers whose video has left the window. Then each chunk has one user turn
(its video, and the question if it was asked in this chunk) and one assistant turn (words, or only
the silent token). A checkpoint with a decision grammar has a marker before the words, and may have
silence as a marker of several tokens (`models/grammar.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aura_core.models import grammar
from aura_core.models.backend import ChatFormat, Piece, Seen, Tokenizer, Tokens
from aura_core.models.tool_form import before, without_markers
from aura_core.stream.prefix import Prefix, QAGroup

MOST_CONSTANTS = 256


@dataclass(frozen=True)
class Handed:
    """A task that an answer hands over, and the words before it."""

    words: str
    task: str


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
        self.grammar = chat.grammar
        form = self.grammar.form if self.grammar else None
        self._lead = self.grammar.lead if self.grammar else ()
        self._respond = form.respond if form else ""  # stands before words
        self._tasks = tuple(d.rstrip() for d in form.delegates) if form else ()
        # Markers that `decode` leaves out, by id: the tokenizer marks them as special.
        self._hidden = self._hidden_markers()
        self._constant: dict[str, Tokens] = {}  # tokens of the texts around a chunk, by text
        # The template's text after the end token. The end token itself is added by `assistant`.
        self._after_end = self._ids(chat.assistant[1])[1:]
        self.thought = self._ids(chat.thought)
        # What may follow the assistant header; None: all tokens.
        self._first = self.grammar.first(chat.end_id) if self.grammar else None
        self.silence: tuple[int, ...] = (chat.silent_id,) if chat.silent_id != chat.end_id else ()
        if self.grammar is not None:
            self.silence = self.grammar.silent

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
            said = self._respond + c.lead + self.plain("\n".join(group.answers))
            text += c.assistant[0] + said + c.assistant[1]
        return Tokens(self._ids(text))

    def user(
        self, seen: Seen, question: str | None, result: str | None = None, recalled: str = ""
    ) -> list[Piece]:
        """The chunk's user turn and the assistant header after it.

        The last piece holds everything after the chunk's video: the question, or the `result` of a
        call, then the header, and the lead of the grammar. `recalled` is what memory tells about
        the question (`memory/form.py`); it stands before the question.
        """
        c = self.chat
        begin, *inner, end = c.chunk.parts(seen)
        close = c.user[1] + c.assistant[0]
        between = [self._fixed(p) if isinstance(p, str) else p for p in inner]
        if result is not None and self.tools is not None:
            after = Tokens(self._ids(f"{end}{self.tools.result(self.plain(result))}{close}"))
        elif question:
            told = f"{self.plain(recalled)}\n" if recalled else ""
            after = Tokens(self._ids(f"{end}{c.ask}{told}{self.plain(question)}{close}"))
        else:
            after = self._fixed(f"{end}{close}")
        if self._lead:
            after = Tokens((*after.ids, *self._lead))
        return [self._fixed(f"{c.user[0]}{begin}"), *between, after]

    def noting(self, request: str) -> Tokens:
        """A user turn without video that asks for something that is no part of the conversation,
        such as a note. Its answer is free: it needs no marker."""
        c = self.chat
        text = f"{c.user[0]}{c.ask}{self.plain(request)}{c.user[1]}{c.assistant[0]}"
        return Tokens((*self._ids(text), *self.thought))

    def asking(self, seen: Seen, question: str) -> Tokens:
        """The last piece of `user` for a question that is no part of the conversation.

        Its answer is free: it needs no marker.
        """
        after = self.deciding(self.user(seen, question))[-1]
        assert isinstance(after, Tokens)
        return Tokens(after.ids[: len(after) - len(self._lead)])

    def deciding(self, user: Sequence[Piece]) -> list[Piece]:
        """A user turn as an answer to it is made: with an empty thought behind the header, where
        the model would think first. The conversation does not hold the thought."""
        *seen, after = user
        if not self.thought:
            return [*seen, after]
        assert isinstance(after, Tokens)
        header = after.ids[: len(after) - len(self._lead)]
        return [*seen, Tokens((*header, *self.thought, *self._lead))]

    @property
    def lead(self) -> Tokens:
        """What `user` ends with, after the assistant header."""
        return Tokens(self._lead)

    @property
    def first(self) -> tuple[int, ...]:
        """Ids that an answer may begin with; none where every token may stand there."""
        return tuple(self._first or ())

    def allowed(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """The logits of a decision, (vocabulary,), limited to what the grammar allows."""
        return grammar.only(logits, self._first)

    def within_marker(self, ids: Sequence[int]) -> tuple[int, ...]:
        """The ids that may follow the beginning `ids` of an answer, while it is within a marker."""
        return self.grammar.after(ids) if self.grammar else ()

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

        It has no blanks at its ends, the tokenizer reads no special token in it, and it holds no
        marker of a call or of the decision grammar.
        """
        plain = self.tokenizer.plain(text.strip())
        if self.tools is not None:
            plain = without_markers(self.tools.markers, plain)
        return plain if self.grammar is None else without_markers(self.grammar.form.markers, plain)

    def answer_ids(self, text: str) -> tuple[int, ...]:
        """Token ids of an answer that comes as text: what was said aloud, or a training answer.

        There is no special token among them, but the marker that stands before words.
        """
        text = self.tokenizer.plain(text)
        if self.grammar is None or not text:
            return self._ids(self.chat.lead + text)
        text = without_markers(self.grammar.form.markers, text)
        blank = self._respond[len(self._respond.rstrip()) :]
        return self.grammar.respond + self._ids(blank + text)

    def text(self, ids: Sequence[int]) -> str:
        """The text of an answer, without the marker before its words.

        The markers of calls and of tasks are written in it.
        """
        marker = ""
        if self.grammar is not None:
            marker, ids = self.grammar.split(ids)
        if not self._hidden:
            return (marker + self.tokenizer.decode(ids)).strip()
        text, run = marker, []
        for i in (*ids, None):
            if i is not None and i not in self._hidden:
                run.append(i)
                continue
            text += self.tokenizer.decode(run) + self._hidden.get(i, "")
            run = []
        return text.strip()

    def words(self, text: str, final: bool = False) -> str:
        """The part of an answer that may be said: what stands before a call or a task.

        `final` false: the answer goes on, so a beginning of a marker at its end is no words yet.
        """
        if self.tools is not None:
            text = self.tools.words(text, final)
        return before(text, self._tasks, final) if self._tasks else text

    def handed(self, text: str) -> Handed | None:
        """The task that an answer hands over; None when it hands nothing over."""
        found = [(text.find(m), m) for m in self._tasks if m in text]
        if not found:
            return None
        at, marker = min(found)
        task = text[at + len(marker) :]
        for further in self._tasks:
            task = task.replace(further, " ")
        return Handed(text[:at].strip(), " ".join(task.split()))

    def _hidden_markers(self) -> dict[int | None, str]:
        markers = (*(self.tools.markers if self.tools else ()), *self._tasks)
        ids = {marker: self._ids(marker) for marker in markers}
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
