"""The memory of one stream: what its engine asks, and what it notes (`stream.notes.Memory`)."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from aura_core.errors import AuraError, one_line
from aura_core.memory.cameras import in_words
from aura_core.memory.form import Line, MemoryForm, line
from aura_core.memory.names import Names, Naming, naming
from aura_core.memory.notes import Note
from aura_core.memory.pictures import decoded
from aura_core.memory.recall import Recall
from aura_core.memory.store import Store
from aura_core.memory.tiers import Tiers
from aura_core.memory.times import clock
from aura_core.memory.words import language_of
from aura_core.models.backend import Backend
from aura_core.stream.attribution import stands
from aura_core.stream.notes import Block, Remembered, Request
from aura_core.types import NS, Chunk, Evidence, Frame, Query

if TYPE_CHECKING:
    from aura_core.live.memory import AssistantMemory

BLOCK_S = 30.0
PREFIX_TOKENS = 2000
NAME_TOKENS = 24  # of the description of what a name stands for


class StreamMemory:
    """The memory of one stream, as its engine sees it (`stream.notes.Memory`)."""

    def __init__(self, memory: AssistantMemory, name: str, backend: Backend) -> None:
        self._memory, self._name, self._config = memory, name, memory.config
        self._form = form = backend.chat.memory
        own = form.prefix_tokens
        most = memory.config.prefix_tokens
        self.prefix_tokens = most if most is not None else PREFIX_TOKENS if own is None else own
        self.note_tokens = memory.config.note_tokens
        self._newest_ns = 0
        if not form.uses:
            self.prefix_tokens = 0
            memory.cannot(backend.name)

        self._tokenizer = backend.tokenizer
        self._store: Store | None = None  # which `_recall` and `_tiers` read
        self._recall: Recall | None = None
        self._tiers: Tiers | None = None
        self._names: Names | None = None
        self._making = threading.Lock()  # of the text of `before`
        # The wall clock, `Store.deletions`, and the text of `before`.
        self._prepared: tuple[int, int, str] | None = None

    def _readers(self) -> tuple[Recall | None, Tiers | None]:
        """What reads the notes; None while the file cannot be used."""
        memory, store = self._memory, self._memory.ready()
        if store is not self._store:
            self._store, self._recall, self._tiers, self._names = store, None, None, None
            if store is not None:
                config = replace(memory.config, prefix_tokens=self.prefix_tokens)
                own = (config, self._form)
                self._recall = Recall(
                    store,
                    *own,
                    memory.embedder,
                    memory.tz,
                    self._count,
                    lambda: memory.cameras,
                )
                self._tiers = Tiers(store, *own, memory.tz, self._count)
                self._names = Names(store)
        return self._recall, self._tiers

    def _count(self, text: str) -> int:
        """Number of tokens of a text."""
        return len(self._tokenizer.encode(self._tokenizer.plain(text)))

    @property
    def writes(self) -> bool:
        """See `stream.notes.Memory`."""
        able = self._form.uses or self._memory.writer is not None
        return able and self._memory.recorder is not None and not self._memory.paused

    @property
    def paused(self) -> bool:
        """See `stream.notes.Memory`."""
        return self._memory.paused

    @property
    def language(self) -> str:
        """See `stream.notes.Memory`."""
        return self._memory.language

    @property
    def pictures(self) -> bool:
        """See `stream.notes.Memory`."""
        return self._memory.writer is not None

    def block_chunks(self, form: MemoryForm) -> int:
        """See `stream.notes.Memory`."""
        return round(self._config.block_s or form.block_s or BLOCK_S)

    def wall_ns(self, stamp_ns: int) -> int:
        """See `stream.notes.Memory`."""
        self._newest_ns = stamp_ns
        self._memory.look_at_clock()
        return self._memory.wall_ns(stamp_ns)

    def before(self) -> str:
        """See `stream.notes.Memory`."""
        now_ns = self._memory.wall_ns(self._newest_ns)
        fresh_ns = 2 * self.block_chunks(self._form) * NS
        _, tiers = self._readers()
        if tiers is None or self.prefix_tokens == 0:
            return ""
        made = self._prepared
        stale = made is None or abs(now_ns - made[0]) > fresh_ns
        if stale or (made is not None and made[1] != self._deletions()):
            self._prepare(tiers)
        return self._prepared[2] if self._prepared is not None else ""

    def prepare(self) -> None:
        """See `stream.notes.Memory`. Live, the thread that writes notes does it."""
        _, tiers = self._readers()
        if tiers is None or self.prefix_tokens == 0:
            self._prepared = None
        else:
            self._memory.work(lambda store: self._prepare(tiers))

    def _prepare(self, tiers: Tiers) -> None:
        deletions = self._deletions()
        try:
            now_ns = self._memory.wall_ns(self._newest_ns)
            with self._making:
                text = tiers.text(now_ns, self._name, self.language)
        except AuraError as e:
            self._memory.fail(one_line(e))
            self._prepared = None
            return
        self._memory.fail("")
        self._prepared = now_ns, deletions, text

    def _deletions(self) -> int:
        """Another number after every deletion, also by a command beside this assistant; -1 where
        nothing can be read."""
        try:
            return -1 if self._memory.store is None else self._memory.store.deletions
        except AuraError:
            return -1

    def recall(self, query: Query, chunk: Chunk) -> Remembered:
        """See `stream.notes.Memory`."""
        self._memory.asked(query)
        if self._config.language == "auto":
            self._memory.language = language_of(query.text)
        try:
            told = self._told(query, chunk)
        except AuraError as e:
            self._memory.fail(one_line(e))
            return Remembered("", query.text)
        if self._store is not None:
            self._memory.fail("")
        return told

    def _told(self, query: Query, chunk: Chunk) -> Remembered:
        recall, _ = self._readers()
        question, names = query.text, self._names
        if recall is None or names is None or not self._form.uses:
            return Remembered("", question)
        if not stands(query) and (given := naming(question)) is not None:
            return self._given(given, question, chunk)
        now_ns = self.wall_ns(chunk.stamp_ns)
        lines = [] if self._form.renames else names.lines(now_ns, self.language, question)
        found = None
        if not stands(query):
            asked = names.rewrite(question, sure=True) if self._form.renames else question
            found = recall.find(asked, now_ns)
        if self._form.renames:
            question = names.rewrite(question, sure=found is not None)
        known = "".join(f"{told}\n" for told in lines)
        if found is None:
            return Remembered(known, question)
        evidence = tuple(Evidence(n.id, n.begin_ns, n.end_ns, n.shown_wall_ns) for n in found.notes)
        return Remembered(known + found.text, question, evidence, self._pictures(found.notes))

    def _given(self, given: Naming, question: str, chunk: Chunk) -> Remembered:
        """The user names something: what it is comes from the words, or from the model."""

        def keep(description: str) -> None:
            self._memory.named(self._name, given, description, chunk)

        if given.about:
            keep(given.about)
            return Remembered("", question)
        asks = self._form.describes
        if asks is None:
            return Remembered("", question)
        language = language_of(question)
        asked = asks.get(f"{language} person") if given.person else None
        asked = (asked or asks.get(language) or asks["en"]).format(name=given.name)
        if not self._form.renames:
            return Remembered("", question, ask=Request(asked, NAME_TOKENS, keep))

        def answered(text: str) -> None:
            if _is_thing(text):
                keep(text)

        return Remembered("", asked, answered=answered)

    def said(self, text: str) -> str:
        """See `stream.notes.Memory`."""
        if not self._form.renames or self._names is None:
            return text
        try:
            return self._names.said(text)
        except AuraError as e:
            self._memory.fail(one_line(e))
            return text

    def _pictures(self, notes: Sequence[Note]) -> tuple[tuple[Frame, str], ...]:
        """The keyframes of the newest of these notes, each with its caption."""
        most, store = self._config.recall_pictures, self._store
        shown: list[tuple[Frame, str]] = []
        for note in reversed(notes):
            if len(shown) >= most or store is None:
                break
            data = store.picture(note.id)
            image = None if data is None else decoded(data)
            if image is not None:
                now_ns = self._memory.wall_ns(self._newest_ns)
                age_s = max(0, now_ns - note.wall_ns) / NS
                when = clock(note.shown_wall_ns, now_ns, self._memory.tz, self.language)
                several = len(self._memory.cameras) > 1
                camera = in_words(note.stream, self.language) if several else ""
                caption = line(Line(age_s, when, note.text, camera), self.language)
                shown.append((Frame(image, note.end_ns), caption))
        return tuple(reversed(shown))

    def closed(self, block: Block) -> bool:
        """See `stream.notes.Memory`."""
        writer = self._memory.writer
        if writer is None:
            return False
        writer.put(self._name, block, self.language)
        return True

    def missed(self, begin_ns: int, end_ns: int) -> None:
        """See `stream.notes.Memory`."""
        self._memory.missed(self._name, begin_ns, end_ns)

    def wrote(self, block: Block, text: str) -> None:
        """See `stream.notes.Memory`."""
        self._memory.saw(self._name, block, text)

    def merging(self) -> Request | None:
        """See `stream.notes.Memory`."""
        _, tiers = self._readers()
        if tiers is None or self._form.merges is None or self._memory.writer is not None:
            return None
        language = self.language
        try:
            now_ns = self._memory.wall_ns(self._newest_ns)
            span = tiers.unmerged(now_ns, self._name, language)
        except AuraError as e:
            self._memory.fail(one_line(e))
            return None
        if span is None:
            return None
        asked = self._form.merges.get(language) or self._form.merges["en"]

        def done(text: str) -> None:
            begin_ns, end_ns = span.begin_wall_ns, span.end_wall_ns
            own = (begin_ns, end_ns, span.language, text, span.deletions)
            if text:
                self._memory.work(lambda store: store.add_summary(*own))

        request = asked.format(notes=span.notes, words=self.note_tokens // 2)
        return Request(request, self.note_tokens, done)


def _is_thing(text: str) -> bool:
    """Whether an answer tells one thing: "a red cube", and not "nothing" or "i do not know"."""
    words = text.casefold().split()
    if language_of(text) == "zh":
        return len(text) <= 10 and not text.startswith(("我", "什么", "没")) and "和" not in text
    return 2 <= len(words) <= 6 and words[0] in ("a", "an", "the") and "and" not in words
