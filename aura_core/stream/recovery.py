"""What happens when the model fails: the chunk is lost, and the stream goes on.

Live running and replay both use this.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from aura_core.errors import AuraError, ModelError, one_line
from aura_core.stream.engine import Newest, StreamEngine
from aura_core.stream.generation import OnText
from aura_core.types import Chunk, Query, Step

log = logging.getLogger(__name__)
T = TypeVar("T")


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
        ahead: the model failed while it worked ahead after the chunk. No chunk is lost but those of
            the window, where it was emptied.
    """

    chunk: int
    error: Exception
    emptied: bool = False
    again: Query | None = None
    given_up: Query | None = None
    ahead: bool = False

    @property
    def message(self) -> str:
        """What was lost and why, in one line."""
        if self.emptied:
            when = "while it worked ahead" if self.ahead else f"at chunk {self.chunk}"
            what = f"the model failed {when}, its window is emptied"
        else:
            what = "working ahead failed" if self.ahead else f"chunk {self.chunk} is lost"
        return f"{what}: {one_line(self.error)}"


class Recovery:
    """Steps an engine, and brings it back to a usable state when its model fails.

    Args:
        engine: the engine.
        tries: how often the model may fail in an unknown state on a question before it is given
            up; another model may be there that is not tried before.
    """

    def __init__(self, engine: StreamEngine, tries: int = 2) -> None:
        self.engine, self.tries = engine, tries
        self._failed_on: Query | None = None  # question of the last step that failed
        self._failures = 0  # on that question

    def step(
        self,
        chunk: Chunk,
        query: Query | None = None,
        on_text: OnText | None = None,
        newest: Newest = lambda: None,
    ) -> Step | Lost:
        """`StreamEngine.step`; returns `Lost` where the model failed."""
        engine = self.engine
        return self._tried(chunk.index, query, lambda: engine.step(chunk, query, on_text, newest))

    def answer_now(
        self, query: Query, on_text: OnText | None = None, newest: Newest = lambda: None
    ) -> Step | Lost | None:
        """`StreamEngine.answer_now`; returns `Lost` where the model failed."""
        engine = self.engine
        return self._tried(
            engine.last_chunk, query, lambda: engine.answer_now(query, on_text, newest)
        )

    def see(self, chunk: Chunk) -> Lost | None:
        """`StreamEngine.see`; returns `Lost` where the model failed, else None."""
        return self._tried(chunk.index, None, lambda: self.engine.see(chunk))

    def work_ahead(self) -> int | Lost:
        """`StreamEngine.work_ahead`; returns `Lost` where the model failed.

        After an `AuraError` nothing is lost: it is tried again later, and a switch prefills what is
        still missing.
        """
        done = self._tried(self.engine.last_chunk, None, self.engine.work_ahead)
        return replace(done, ahead=True) if isinstance(done, Lost) else done

    def call(self, work: Callable[[StreamEngine], T]) -> T:
        """Do other work on the engine, between two steps. It may use the model (`amend`).

        Raises:
            AuraError: the work failed. After any error but an `AuraError` of the work's own, the
                window is emptied.
        """
        try:
            return work(self.engine)
        except AuraError:
            raise
        except Exception as e:  # see `_tried`
            log.warning("work between two steps failed", exc_info=e)
            self.engine.recover()
            raise ModelError(
                f"the model failed between two steps, its window is emptied: {one_line(e)}"
            ) from e

    def _tried(self, chunk: int, query: Query | None, work: Callable[[], T]) -> T | Lost:
        """The result of `work`, or what was lost.

        A model is foreign code, and may raise anything: torch a RuntimeError for a full GPU, a
        processor a KeyError. Whatever it is, it costs this chunk and not the run. The traceback
        goes to the log.
        """
        try:
            return work()
        except AuraError as e:  # the engine has restored its state
            return Lost(chunk, e, again=query)
        except Exception as e:
            log.debug("the model failed at chunk %d", chunk, exc_info=e)
            self.engine.recover(query)
            if query is not None:
                self._failures = self._failures + 1 if query is self._failed_on else 1
                self._failed_on = query
                if self._failures >= self.tries:
                    return Lost(chunk, e, emptied=True, given_up=query)
            return Lost(chunk, e, emptied=True, again=query)
