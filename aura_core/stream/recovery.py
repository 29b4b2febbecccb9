"""What a failing model costs: its chunk, and never the run. Shared by live running and replay."""

from __future__ import annotations

from dataclasses import dataclass

from aura_core.errors import AuraError
from aura_core.stream.engine import Newest, StreamEngine
from aura_core.stream.generation import OnText
from aura_core.types import Chunk, Query, Step

# What else a model may raise in a step: torch reports a full GPU, a lost device and bad shapes as
# these.
MODEL_ERRORS = (RuntimeError, ValueError, MemoryError)


@dataclass(frozen=True)
class Lost:
    """A chunk that could not be decided.

    `again` is its question, which is to be asked in the next chunk; `given_up` its question when
    the model broke over it for the second time. `emptied`: the model broke in an unknown state, so
    video and cache were thrown away; the words are kept.
    """

    chunk: int
    error: Exception
    emptied: bool = False
    again: Query | None = None
    given_up: Query | None = None

    @property
    def message(self) -> str:
        """One line."""
        if self.emptied:
            what = f"the model failed at chunk {self.chunk}, its window is emptied"
        else:
            what = f"chunk {self.chunk} is lost"
        return f"{what}: {one_line(self.error)}"


class Recovery:
    """Steps an engine, and brings it back to a state that can go on when its model fails."""

    def __init__(self, engine: StreamEngine) -> None:
        self.engine = engine
        self._broken: Query | None = None  # the question over which the model last broke

    def step(
        self,
        chunk: Chunk,
        query: Query | None = None,
        on_text: OnText | None = None,
        newest: Newest = lambda: None,
    ) -> Step | Lost:
        """`StreamEngine.step`, or what was lost."""
        try:
            return self.engine.step(chunk, query, on_text, newest)
        except AuraError as e:  # the engine has put everything back
            return Lost(chunk.index, e, again=query)
        except MODEL_ERRORS as e:
            self.engine.recover(query)
            if query is not None and query == self._broken:
                return Lost(chunk.index, e, emptied=True, given_up=query)
            self._broken = query or self._broken
            return Lost(chunk.index, e, emptied=True, again=query)

    def see(self, chunk: Chunk) -> Lost | None:
        """`StreamEngine.see`; what was lost, if it failed."""
        try:
            self.engine.see(chunk)
        except AuraError as e:
            return Lost(chunk.index, e)
        except MODEL_ERRORS as e:
            self.engine.recover()
            return Lost(chunk.index, e, emptied=True)
        return None

    def work_ahead(self) -> int | str:
        """One quantum of background work: tokens prefilled, 0 when nothing is left, or one line on
        what failed."""
        try:
            return self.engine.work_ahead()
        except AuraError as e:  # the same quantum is tried again later, or its switch is a rebuild
            return one_line(e)
        except MODEL_ERRORS as e:
            self.engine.recover()
            return f"the model failed while it worked ahead, its window is emptied: {one_line(e)}"


def one_line(error: BaseException) -> str:
    """The error's words without line breaks; its type where it has none."""
    return " ".join(str(error).split()) or type(error).__name__
