"""What the embedded model itself makes of memory, free-running on held-out rooms: its notes, and
its answers from lines of memory that stand before a question or in the system turn.

The lines are those that a perfect search would find, so these figures are the model's alone;
`aura eval memory` has those of the whole assistant.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from aura_core.evaluation.sim import EPISODE_S, NS, episode_of
from aura_core.evaluation.statistics import Measured, proportion
from aura_core.models.backend import Backend, Session, Tokens
from aura_core.sim.memory import MemoryTalk
from aura_core.sim.render import Camera
from aura_core.sim.world import Event, World
from aura_core.stream.prompt import PromptCodec
from aura_core.training.tiny.remembered import BLOCK_S, Past, past, question
from aura_core.types import Chunk, Frame

MOST_TOKENS = 96  # of a note or an answer
ASKED_EVERY = 3  # seconds
MEMORY_TOKENS = 150  # in the system turn of every second room
UNSEEN = 0.5  # share of questions in phrasings kept out of training
NEAR = 1  # chunks by which an event may be on the other side of a block's beginning or end


@dataclass
class Tally:
    """What was right, by name."""

    right: dict[str, list[bool]] = field(default_factory=lambda: defaultdict(list))
    wrong: list[tuple[str, str, str]] = field(default_factory=list)  # asked, wanted, said

    def add(self, names: Iterable[str], right: bool) -> None:
        """One more, under each of these names."""
        for name in names:
            self.right[name].append(right)

    def figures(self) -> dict[str, Measured]:
        """Shares, with 95% intervals."""
        return {name: proportion(sum(r), len(r)) for name, r in sorted(self.right.items())}


def evaluate(backend: Backend, seeds: Iterable[int], seconds: int = EPISODE_S) -> Tally:
    """Rooms seen in silence; a note is asked for every 10 s, a question about the past every 3 s.
    Half of the rooms are noted and asked about in Chinese."""
    codec, tally = PromptCodec(backend.tokenizer, backend.chat), Tally()
    for seed in seeds:
        rng = np.random.default_rng([seed, 19])
        episode, sensor = episode_of(seed, seconds)
        world = episode.world
        talk = MemoryTalk("zh" if seed % 2 else "en", UNSEEN)
        tokens = MEMORY_TOKENS if seed % 4 >= 2 else 0
        before = past(rng, talk, tokens, codec.question_tokens)
        session = backend.open()
        session.prefill([codec.head(codec.prefix(memory=before.text))])
        camera = Camera(world, sensor=sensor)
        for chunk in range(seconds):
            video = backend.encode(_chunk(camera, world, chunk))
            if chunk % ASKED_EVERY == 0:
                asked = question(rng, talk, world, 0, chunk, before)
                if asked is not None:
                    turn = codec.user(video, asked.text, None, asked.recalled)
                    said = _said(codec, session, turn)
                    _judge(tally, talk, asked.topic, asked.unseen, before, said, asked.answer)
                    if said != asked.answer:
                        tally.wrong.append((asked.recalled + asked.text, asked.answer, said))
            session.prefill([*codec.user(video, None), codec.assistant(None)])
            if (chunk + 1) % BLOCK_S == 0:
                request = codec.chat.memory.note[talk.language].format(seconds=float(BLOCK_S))
                said = _said(codec, session, [codec.noting(request)])
                _compare(tally, talk, world, chunk + 1, said)
    return tally


def _chunk(camera: Camera, world: World, chunk: int) -> Chunk:
    frames = tuple(
        Frame(camera.frame(t_s), chunk * NS + i * NS // 2)
        for i, t_s in enumerate(world.look(chunk))
    )
    return Chunk(chunk, frames, chunk * NS, (chunk + 1) * NS)


def _said(codec: PromptCodec, session: Session, pieces: Sequence[object]) -> str:
    """What the model says after `pieces`; the session is as before then."""
    length, ids = session.length, []
    ends = {codec.chat.end_id, *codec.silence}
    logits = session.prefill(pieces)  # type: ignore[arg-type]
    while (token := int(logits.argmax())) not in ends and len(ids) < MOST_TOKENS:
        ids.append(token)
        logits = session.prefill([Tokens((token,))])
    session.rollback(length)
    return codec.text(ids)


def _judge(
    tally: Tally,
    talk: MemoryTalk,
    topic: str,
    unseen: bool,
    before: Past,
    said: str,
    wanted: str,
) -> None:
    names = ["answers", topic, f"answers in {talk.language}"]
    names.append(f"answers, {'phrasings kept out' if unseen else 'phrasings of the training'}")
    if before.text:
        names.append("answers with memory in the system turn")
    tally.add(names, said.replace("，", "") == wanted.replace("，", ""))


def _compare(tally: Tally, talk: MemoryTalk, world: World, stop: int, said: str) -> None:
    """A note against what happened in its block; what happened within a chunk of the block's ends
    may be in it or not."""
    first = stop - BLOCK_S

    def facts(events: Iterable[Event]) -> list[str]:
        return [talk.fact(e).replace("，", "") for e in events]

    sure = facts(e for e in world.events if first + NEAR <= e.chunk < stop - NEAR)
    able = facts(e for e in world.events if first - NEAR <= e.chunk < stop)
    told = [f.strip() for f in said.replace("；", ";").split(";") if f.strip()]
    exact = talk.note([e for e in world.events if first <= e.chunk < stop])
    tally.add(["notes, to the word"], said == exact.replace("，", ""))
    tally.add([f"notes, to the word, in {talk.language}"], said == exact.replace("，", ""))
    for fact in sure:
        tally.add(["facts that a note tells (recall)"], fact in told)
    for fact in told:
        tally.add(["facts of a note that are true (precision)"], fact in able)
    if not able:
        tally.add(["quiet blocks without a note"], not told)
    if said != exact.replace("，", ""):
        tally.wrong.append((f"note before {stop}", exact, said))
