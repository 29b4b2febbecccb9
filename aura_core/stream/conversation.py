"""The conversation of one stream: window, questions, watches and attribution.

It holds the rules of the conversation, and no model, cache or clock. The engine uses it with a
model. The data engine, the training samples and tests use it with given words. So a model is
trained on the same conversations that it meets when it runs.

One chunk goes like this:

    conversation.ask(query)                   where a question belongs to the chunk
    turn = conversation.open(chunk, video, query)
    said = conversation.say(turn, ids, ...)   where words are spoken; else the turn stays silent
    conversation.close(said.turn)             the engine's window policy does this for it
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from aura_core.config import GenerationConfig, WatchConfig, WindowConfig
from aura_core.errors import InputError
from aura_core.models.backend import Seen
from aura_core.stream.attribution import Attribution, Booking, Entry, stands
from aura_core.stream.ids import Ids
from aura_core.stream.intake import check_text
from aura_core.stream.prefix import QAGroup
from aura_core.stream.prompt import Handed, PromptCodec
from aura_core.stream.watches import Watches
from aura_core.stream.window import DualWindow, Turn, sliding
from aura_core.types import Answered, Call, Decision, Delegate, Kind, Query, Response

_BOOKED = 256  # responses whose watches are remembered


@dataclass(frozen=True)
class Said:
    """The result of `Conversation.say`.

    `turn` is the closed turn. `response` is None where the words must not be said; then
    `suppressed` tells why ("cancelled", "limit", "cooldown" or "duplicate"), and `turn` is silent;
    or the model has made a `call` instead. It may hand over a `delegate`, with or without words.
    """

    turn: Turn
    response: Response | None
    suppressed: str = ""
    call: Call | None = None
    delegate: Delegate | None = None


class Conversation:
    """One stream's conversation.

    Args:
        codec: turns text into token ids.
        window: sizes of the dual window.
        watch: limits of watches.
        generation: limits of questions.
        ids: makes the ids of questions and responses.
        groups: earlier questions and answers; they stand in the prefix.
        memory: returns the notes that stand before the video, whenever a prefix is made; None:
            there are none.
    """

    def __init__(
        self,
        codec: PromptCodec,
        window: WindowConfig,
        watch: WatchConfig | None = None,
        generation: GenerationConfig | None = None,
        ids: Ids | None = None,
        groups: Iterable[QAGroup] = (),
        memory: Callable[[], str] | None = None,
    ) -> None:
        self.codec, self.config, self._memory = codec, window, memory
        self.ids = ids or Ids("run")
        self.attribution = Attribution()
        self.watches = Watches(self.attribution, watch or WatchConfig())
        self._watch = watch or WatchConfig()
        self._generation = generation or GenerationConfig()
        self.window = self._window(groups)
        # the watches that a response answered, by its id
        self._booked: OrderedDict[str, tuple[Answered, ...]] = OrderedDict()
        self.tasks: dict[str, Delegate] = {}  # handed over, and without a result so far; by id

    def configure(self, watch: WatchConfig, generation: GenerationConfig) -> None:
        """Use other limits from now on."""
        self._watch, self._generation = watch, generation
        self.watches.configure(watch)

    def restart(self) -> None:
        """Begin with an empty window after the video was lost.

        The questions and answers of the old window move into the prefix.
        """
        self.window = self._window(self.window.words().groups)

    def moved(
        self,
        codec: PromptCodec,
        again: Callable[[Turn], Turn | None],
        memory: Callable[[], str] | None = None,
    ) -> Conversation:
        """The same conversation for another model; questions, watches and ids are shared.

        Args:
            codec: of the other model.
            again: returns a turn as the other model sees it; None: its video is not shown again.
                It is called for the newest turn first. The turn for which it returns None, and all
                before it, leave the window as at a switch.
            memory: of the other model: notes have a length in its tokens.
        """
        kept: list[Turn] = []
        for turn in reversed(self.window.turns):
            if (same := again(turn)) is None:
                break
            kept.append(same)
        prefix = self.window.without(len(self.window.turns) - len(kept))
        other = copy.copy(self)
        other.codec, other._memory = codec, memory
        other.window = other._window(prefix.groups)
        for turn in reversed(kept):
            other.window.append(turn)
        return other

    # ---- questions ---------------------------------------------------------------------------

    def admit(self, query: Query, waiting: Sequence[Query] = ()) -> Query:
        """Check a question, and return it with an id.

        Args:
            query: the question; its own id is kept.
            waiting: questions that were admitted and not asked yet.

        Raises:
            InputError: the question is no text or too long, or it begins a watch and too many are
                open.
        """
        check_text(query.text, self._generation.max_question_chars)
        tokens, limit = self.codec.question_tokens(query.text), self._generation.max_question_tokens
        if tokens > limit:
            raise InputError(f"the question has {tokens} tokens; at most {limit} are allowed")
        if stands(query):
            if query.id in self.attribution.open_ids() | {w.id for w in waiting}:
                raise InputError(f"a watch with the id '{query.id}' is open already")
            watches = len(self.attribution.open_ids()) + sum(map(stands, waiting))
            if watches >= self._watch.max_open:
                raise InputError(
                    f"{watches} watches are open already; at most {self._watch.max_open} are"
                    " allowed (watch.max_open); cancel one first"
                )
        return query if query.id else replace(query, id=self.ids.next("q"))

    def ask(self, query: Query) -> None:
        """Record the question of the chunk that is being played."""
        self.attribution.ask(query)

    def forget(self, query: Query | None) -> None:
        """Remove a question whose answer was discarded, as if it had never been asked."""
        self.attribution.forget(query)

    def expects(self) -> bool:
        """Whether unasked words may come: a watch is open."""
        return any(entry.open for entry in self.attribution.entries)

    def open_texts(self) -> list[str]:
        """The texts of the open watches, oldest first."""
        return self.attribution.open_texts()

    # ---- turns -------------------------------------------------------------------------------

    def open(self, chunk: int, video: Seen, query: Query | None) -> Turn:
        """The open turn of a chunk; it is silent so far."""
        if query is not None and query.after is not None:
            return Turn(chunk, video, result=query.text, lead=query.after.said)
        return Turn(chunk, video, query.id if query else None, query.text if query else None)

    def may_publish(self, stamp_ns: int, query: Query | None) -> bool:
        """Whether the words of this chunk may be published while they are generated.

        Unasked words may not, while a watch could still make `say` suppress them.
        """
        if query is not None:
            return not query.quiet
        return self.watches.may_publish(stamp_ns)

    def say(
        self,
        turn: Turn,
        answer_ids: Sequence[int],
        query: Query | None,
        stamp_ns: int,
        response_id: str = "",
        owners: Sequence[str] = (),
        found: Sequence[Entry] = (),
    ) -> Said:
        """Put words into a turn: find the question that they answer, and whether they may be said.

        Args:
            turn: the open turn.
            answer_ids: token ids of the words.
            query: the question of this chunk; None: the words are unasked.
            stamp_ns: stamp of the chunk's newest frame, which the words describe.
            response_id: id of the response; a new one when empty.
            owners: ids of the watches that unasked words answer, where they are known (training,
                tests). Then attribution is skipped, and nothing is suppressed.
            found: the watches that unasked words answer as the model sees it, see `Owners.of`.
                Empty: the words decide.
        """
        text = self.codec.text(answer_ids)
        known = self.attribution.named(owners)
        if query is None and not known:
            known, objection = self._unobjected(text, stamp_ns, found)
            if objection:
                return Said(turn, None, objection)
        booked = self.attribution.book(text, query, known)
        response = Response(
            " ".join(filter(None, (turn.lead, text))),
            booked.kind,
            booked.query_id,
            booked.index,
            booked.acknowledgment,
            stamp_ns,
            urgent=booked.urgent or any(w.urgent for w in booked.watches),
            id=response_id or self.ids.next("r"),
            watches=booked.watches,
        )
        for watch in booked.watches:
            self.watches.said(watch.query_id, text, stamp_ns)
        self._book(response)
        spoken = replace(
            turn,
            answer_ids=tuple(answer_ids),
            answer=text,
            answer_id=booked.query_id,
            response_id=response.id,
        )
        return Said(spoken, response)

    def _unobjected(
        self, text: str, stamp_ns: int, found: Sequence[Entry]
    ) -> tuple[list[Entry], str]:
        """The watches that unasked words may answer, and the objection where none may."""
        entries = found or [e for e in [self.attribution.owner(text)] if e is not None]
        objections = [self.watches.objection(e, text, stamp_ns) for e in entries]
        known = [e for e, o in zip(entries, objections, strict=True) if not o]
        return known, objections[0] if entries and not known else ""

    def hand_over(
        self,
        turn: Turn,
        answer_ids: Sequence[int],
        handed: Handed,
        query: Query | None,
        decision: Decision,
        stamp_ns: int,
        response_id: str = "",
        found: Sequence[Entry] = (),
    ) -> Said:
        """Put a task into a turn, as it was generated. The arguments are those of `say`.

        The words before it only promise an answer, so no watch counts them. A watch has at most one
        task without a result.
        """
        known: list[Entry] = []
        if query is None:
            text = f"{handed.words} {handed.task}"
            known, objection = self._unobjected(text, stamp_ns, found)
            if known and any(t.query_id == known[0].query.id for t in self.tasks.values()):
                objection = "duplicate"
            if objection:
                return Said(turn, None, objection)
        owner = query.id if query is not None else known[0].query.id if known else ""
        entry = next(iter(self.attribution.named([owner])), None)
        task = Delegate(
            self.ids.next("d"), handed.task, owner, stamp_ns, handed.words, decision.p_silent
        )
        self.tasks[task.id] = task
        turn = replace(turn, answer_ids=tuple(answer_ids))
        if not handed.words:
            return Said(turn, None, delegate=task)
        later = (entry.standing if entry else None) or Kind.PROACTIVE
        response = Response(
            " ".join(filter(None, (turn.lead, handed.words))),
            Kind.REAL_TIME if query is not None else later,
            owner,
            entry.answers if entry else 0,
            True,
            stamp_ns,
            urgent=query is None and entry is not None and entry.urgent,
            id=response_id or self.ids.next("r"),
        )
        turn = replace(turn, answer=handed.words, answer_id=owner, response_id=response.id)
        return Said(turn, response, delegate=task)

    def deliver(self, task_id: str, text: str) -> tuple[tuple[int, ...], Response] | None:
        """The result of a task as an answer to its question: token ids, and the response.

        None when the task is not open, or its watch was cancelled.
        """
        task = self.tasks.pop(task_id, None)
        if task is None:
            return None
        entry = next(iter(self.attribution.named([task.query_id])), None)
        if entry is not None and entry.cancelled:
            return None
        if entry is not None and entry.standing is not None:
            booked = self.attribution.book(text, None, [entry])
            self.watches.said(task.query_id, text, task.stamp_ns)
        elif task.query_id:
            asked = entry.query if entry is not None else Query(task.task, id=task.query_id)
            booked = self.attribution.book(text, asked)
        else:
            booked = Booking("", Kind.PROACTIVE, 0, False)
        response = Response(
            text,
            booked.kind,
            booked.query_id,
            booked.index,
            False,
            task.stamp_ns,
            urgent=booked.urgent,
            id=self.ids.next("r"),
            watches=booked.watches,
        )
        self._book(response)
        return self.codec.answer_ids(text), response

    def _book(self, response: Response) -> None:
        if response.watches:
            self._booked[response.id] = response.watches
            while len(self._booked) > _BOOKED:
                self._booked.popitem(last=False)

    def unheard(self, response_id: str) -> tuple[Query, ...]:
        """Open the watches again that a response answered, because nobody heard a word of it.

        Returns the watches that stay closed, because this has happened too often: what they have to
        say is lost.
        """
        lost: list[Query] = []
        for answered in self._booked.pop(response_id, ()):
            if self.attribution.unheard(answered.query_id):
                self.watches.unsaid(answered.query_id)
            else:
                entries = self.attribution.named([answered.query_id])
                lost += [e.query for e in entries if e.given_up]
        return tuple(lost)

    def call(self, turn: Turn, answer_ids: Sequence[int], words: str, call: Call) -> Said:
        """Put a call into a turn, as it was generated.

        Only the `words` before it stay when the turn leaves the window.
        """
        owner = call.query_id if words else None
        ids = tuple(answer_ids)
        called = replace(turn, answer_ids=ids, answer=words or None, answer_id=owner)
        return Said(called, None, call=call)

    def make_room(self) -> bool:
        """Switch the window if it is full, before a chunk is added. Returns whether it switched."""
        if not self.window.full:
            return False
        self.window.switch()
        return True

    def close(self, turn: Turn) -> None:
        """Append the closed turn to the window."""
        self.window.append(turn)

    def amended(self, response_id: str, said: str) -> tuple[int, Turn] | None:
        """A response's turn as if only `said` had been said, and its index in the window.

        None when the response has left the window. Changes nothing.
        """
        for index, turn in enumerate(self.window.turns):
            if turn.response_id == response_id and turn.answer_ids is not None:
                said = said[len(turn.lead) :].strip() if said.startswith(turn.lead) else ""
                ids = self.codec.answer_ids(said) or None
                owner = turn.answer_id if said else None
                amended = replace(turn, answer_ids=ids, answer=said or None, answer_id=owner)
                return index, amended
        return None

    def _window(self, groups: Iterable[QAGroup]) -> DualWindow:
        memory = self._memory() if self._memory is not None else ""
        prefix = self.codec.prefix(groups, memory)
        return DualWindow(sliding(self.config), prefix, self.attribution.open_ids, self._memory)
