"""The simulator's ground truth as author and judge. It needs no MLLM and makes no mistakes."""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterator, Sequence

import numpy as np

from aura_core.data.author import Draft, Sibling
from aura_core.data.outcome import ItemError
from aura_core.data.schema import Answer, Clip, Question, Sample, Scene
from aura_core.errors import InputError
from aura_core.sim.episode import IDEAL_PLAN, Ask, Due, Episode, Plan
from aura_core.sim.talk import LANGUAGES, TOPICS
from aura_core.sim.world import FIRST_TEST_SEED, World
from aura_core.types import Frame, Kind

NS = 1_000_000_000
EVERY_SECOND = Plan(min_gap=1, max_gap=1, proactive=(0, 0), multi=(0, 0), first=0)
DRAWS = 12  # other sets of questions about the same world, to find siblings in
# Each sample stands alone: nothing is asked that only the question before explains.
# Difficulty of each topic: 1 a glance, 2 details, 3 places, 4 counting and lists, 5 the past.
_LEVELS = {
    1: ("exists", "person", "who", "cat", "door", "lamp", "kettle", "cup", "night"),
    2: ("colour", "shape", "pose"),
    3: ("where", "where_person", "where_cat"),
    4: ("list", "count", "count_of"),
    5: ("took", "brought", "last", "order"),
}
LEVEL_OF = {topic: level for level, topics in _LEVELS.items() for topic in topics}
assert set(LEVEL_OF) == set(TOPICS)
# Groups of templates with the same meaning, without those that are held out from training.
PARAPHRASES = tuple(
    ways.seen
    for words in LANGUAGES.values()
    for ways in (words.once, words.always, *words.questions.values())
)


def seed_of(source: str) -> int:
    """Return the seed of a source such as `sim:7`.

    Raises `InputError` for other sources, and for seeds that are held out for tests.
    """
    name, _, seed = source.rpartition(":")
    if name != "sim" or not seed.isdigit():
        raise InputError(f"{source}: not a simulated clip (sim:SEED); it needs an MLLM")
    if int(seed) >= FIRST_TEST_SEED:
        raise InputError(
            f"{source}: seeds from {FIRST_TEST_SEED} on are held out for tests; use lower ones"
        )
    return int(seed)


def sim_frames(source: str, seconds: int) -> Iterator[Frame]:
    """Yield the pictures of a simulated clip, two a second.

    Raises `InputError` as `seed_of` does.
    """
    from aura_core.sim.render import Camera

    camera = Camera(World.generate(seed_of(source), seconds))
    for slot in range(2 * seconds):
        yield Frame(camera.frame(slot / 2), slot * NS // 2)


class Oracle:
    """An `Author` that looks the answers up in the simulated episode. `plan` makes questions."""

    knows_all = True

    def __init__(self, seed: int = 0, plan: Plan = IDEAL_PLAN) -> None:
        self._seed, self._plan = seed, plan
        self._episodes = functools.lru_cache(maxsize=256)(self._draw)

    def cost(self) -> dict[str, float]:
        """Return {}: the simulator costs nothing."""
        return {}

    def close(self) -> None:
        """Do nothing: there are no connections."""

    def scenes(self, clip: Clip, cuts: Sequence[Scene]) -> list[Scene]:
        """Return `cuts`: a simulated world has no scenes of its own."""
        return list(cuts)

    def questions(self, clip: Clip, scene: Scene) -> list[Draft]:
        """Return the episode's questions in this scene, with all their answers."""
        episode = self._episode(clip)
        drafts = []
        for ask in episode.asks:
            if scene.first <= ask.chunk < scene.stop:
                standing = ask.kind is not Kind.REAL_TIME
                answers = (
                    [Answer(d.chunk, d.text, d.chunk) for d in episode.dues if ask.id in d.ask_ids]
                    if standing
                    else [Answer(ask.chunk, ask.answer, evidence_of(ask))]
                )
                drafts.append(
                    Draft(
                        f"{clip.id}/{ask.id}",
                        ask.kind,
                        ask.chunk,
                        ask.text,
                        tuple(answers),
                        ask.answer if standing else "",
                        LEVEL_OF.get(ask.topic, 3),
                    )
                )
        return drafts

    def visible(self, clip: Clip, question: Question, answer: Answer, chunk: int) -> bool:
        """Whether exactly this answer is true in this second."""
        if question.kind is Kind.REAL_TIME:
            return self._truth(clip, question.draft, chunk) == answer.text
        return any(
            d.chunk == chunk and d.text == answer.text for d in self._dues(clip, question.draft)
        )

    def missed(self, clip: Clip, question: Question, first: int, stop: int) -> bool:
        """Whether the question has an answer in these chunks."""
        return any(first <= d.chunk < stop for d in self._dues(clip, question.draft))

    def siblings(self, clip: Clip, question: Question, count: int) -> list[Sibling]:
        """Return what other draws of questions ask in that second, one for each difficulty."""
        found: dict[int, str] = {}
        for draw in range(1, DRAWS):
            for ask in self._episode(clip, draw).asks:
                level = LEVEL_OF[ask.topic]
                if ask.chunk == question.chunk and level != question.level:
                    found.setdefault(level, ask.text)
        return [Sibling(text, level) for level, text in sorted(found.items())][:count]

    def answer(self, clip: Clip, text: str, chunk: int) -> Answer:
        """Return the true answer. Raises `ItemError` if no draw has this question there."""
        for draw in range(DRAWS):
            for ask in self._episode(clip, draw).asks:
                if (ask.text, ask.chunk, ask.kind) == (text, chunk, Kind.REAL_TIME):
                    return Answer(chunk, ask.answer, evidence_of(ask))
        raise ItemError("unknown question", f"'{text}' at {chunk} s")

    def rephrase(self, clip: Clip, question: Question) -> str:
        """Return the question with another template of the same meaning."""
        for group in PARAPHRASES:
            for template in group:
                pattern = re.sub(r"\\\{(\w)\\\}", r"(?P<\1>.+?)", re.escape(template))
                if match := re.fullmatch(pattern, question.text):
                    rng = np.random.default_rng(_number(f"{self._seed} {question.id}"))
                    return group[int(rng.integers(len(group)))].format(**match.groupdict())
        return question.text

    def ungrounded(self, sample: Sample) -> str:
        """See `Author.ungrounded`: the answer must be true in its second."""
        t, clip = sample.target, sample.clip
        if t.acknowledgment:
            return ""
        if t.kind is Kind.REAL_TIME:
            return (
                ""
                if self._truth(clip, t.draft, t.chunk) == t.answer
                else "it is not true in this second"
            )
        due = {d.text for d in self._episode(clip).dues if d.chunk == t.chunk}
        return "" if t.answer in due else "nothing of the kind happens in this second"

    def _dues(self, clip: Clip, text: str) -> list[Due]:
        """Return all answers of the standing questions with this text."""
        episode = self._episode(clip)
        ids = {a.id for a in episode.asks if a.text == text}
        return [d for d in episode.dues if ids & set(d.ask_ids)]

    def _truth(self, clip: Clip, text: str, chunk: int) -> str | None:
        try:
            return self.answer(clip, text, chunk).text
        except ItemError:
            return None

    def _episode(self, clip: Clip, draw: int = 0) -> Episode:
        first = round(clip.start_s)
        if first:
            raise InputError(
                f"{clip.id}: a simulated clip must begin at 0 s; raise prepare.max_seconds"
            )
        return self._episodes(clip.source, clip.seconds, draw)

    def _draw(self, source: str, seconds: int, draw: int) -> Episode:
        world = World.generate(seed_of(source), seconds)
        if draw == 0:
            return Episode.generate(
                _number(f"{self._seed} {source}"), seconds, self._plan, world, unseen=0.0
            )
        first = self._episodes(source, seconds, 0)
        language = first.asks[0].language if first.asks else "en"  # one person speaks one language
        number = _number(f"{self._seed} {source} {draw}")
        return Episode.generate(number, seconds, EVERY_SECOND, world, language, unseen=0.0)


def evidence_of(ask: Ask) -> int:
    """Return the second that shows the answer. A question about the past names it in `evidence`."""
    return ask.chunk if ask.evidence is None else ask.evidence


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")
