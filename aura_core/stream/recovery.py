"""What happens when the model fails: the chunk is lost, and the stream goes on.

Live running and replay both use this.
"""

from __future__ import annotations

from dataclasses import dataclass

from aura_core.errors import AuraError
from aura_core.stream.engine import Newest, StreamEngine
from aura_core.stream.generation import OnText
from aura_core.types import Chunk, Query, Step

# What a model may raise besides AuraError: torch reports a full GPU, a lost device and wrong shapes
# with these.
MODEL_ERRORS = (RuntimeError, ValueError, MemoryError)


@dataclass(frozen=True)
class Lost:
    """A chunk that could not be decided.

    Attributes:
        chunk: index of the chunk.
        error: what the model raised.
        emptied: the model failed in an unknown state, so video and cache were thrown away.
            Questions and answers are kept.
        again: the chunk's question, to be asked again in the next chunk.
        given_up: the chunk's question, when the model failed on it for the second time.
    """

    chunk: int
    error: Exception
    emptied: bool = False
    again: Query | None = None
    given_up: Query | None = None

    @property
    def message(self) -> str:
        """What was lost and why, in one line."""
        if self.emptied:
            what = f"the model failed at chunk {self.chunk}, its window is emptied"
        else:
            what = f"chunk {self.chunk} is lost"
        return f"{what}: {one_line(self.error)}"


class Recovery:
    """Steps an engine, and brings it back to a usable state when its model fails."""

    def __init__(self, engine: StreamEngine) -> None:
        self.engine = engine
        self._failed_on: Query | None = None  # question of the last step that failed

    def step(
        self,
        chunk: Chunk,
        query: Query | None = None,
        on_text: OnText | None = None,
        newest: Newest = lambda: None,
    ) -> Step | Lost:
        """`StreamEngine.step`; returns `Lost` where the model failed."""
        try:
            return self.engine.step(chunk, query, on_text, newest)
        except AuraError as e:  # the engine has restored its state
            return Lost(chunk.index, e, again=query)
        except MODEL_ERRORS as e:
            self.engine.recover(query)
            if query is not None and query == self._failed_on:
                return Lost(chunk.index, e, emptied=True, given_up=query)
            self._failed_on = query or self._failed_on
            return Lost(chunk.index, e, emptied=True, again=query)

    def see(self, chunk: Chunk) -> Lost | None:
        """`StreamEngine.see`; returns `Lost` where the model failed, else None."""
        try:
            self.engine.see(chunk)
        except AuraError as e:
            return Lost(chunk.index, e)
        except MODEL_ERRORS as e:
            self.engine.recover()
            return Lost(chunk.index, e, emptied=True)
        return None

    def work_ahead(self) -> int | str:
        """`StreamEngine.work_ahead`; returns one line about the failure where the model failed."""
        try:
            return self.engine.work_ahead()
        except AuraError as e:  # tried again later; a switch prefills what is still missing
            return one_line(e)
        except MODEL_ERRORS as e:
            self.engine.recover()
            return f"the model failed while it worked ahead, its window is emptied: {one_line(e)}"


def one_line(error: BaseException) -> str:
    """The text of an error without line breaks; the name of its type where it has no text."""
    return " ".join(str(error).split()) or type(error).__name__
