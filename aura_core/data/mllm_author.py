"""An MLLM as author and judge: which pictures and words it gets, and how replies are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from aura_core.data import mllm_replies as replies
from aura_core.data.author import Draft, Sibling
from aura_core.data.draws import drawn, one_of
from aura_core.data.language import FOREIGN_WORDS
from aura_core.data.mllm import MLLM, picture
from aura_core.data.mllm_replies import field, listed
from aura_core.data.prompts import Prompts
from aura_core.data.schema import Answer, Clip, Question, Sample, Scene
from aura_core.data.settings import DataConfig
from aura_core.data.video import FPS, jpeg, read_slots
from aura_core.types import Kind

LONGEST = 640  # pixels of a picture's longer side


class MLLMAuthor:
    """An `Author` that asks an MLLM. It reads the clips below `media`."""

    knows_all = False

    def __init__(self, mllm: MLLM, prompts: Prompts, config: DataConfig, media: Path) -> None:
        self._mllm, self._prompts, self._config, self._media = mllm, prompts, config, media

    @classmethod
    def open(
        cls, config: DataConfig, media: Path, prompts: Path | None, stored: Path | None
    ) -> MLLMAuthor:
        """Return an author with the prompts of the folder `prompts` (None: the package's own).

        No connection is opened yet. Raises `ConfigError`.
        """
        texts = Prompts.load(prompts)
        return cls(MLLM(config.server, texts, stored), texts, config, media)

    def cost(self) -> dict[str, float]:
        """See `MLLM.cost`."""
        return self._mllm.cost()

    def close(self) -> None:
        """See `MLLM.close`."""
        self._mllm.close()

    def scenes(self, clip: Clip, cuts: Sequence[Scene]) -> list[Scene]:
        """See `Author.scenes`: the MLLM corrects the cuts."""
        shown = ", ".join(f"{s.first}-{s.stop}" for s in cuts)
        content = self._shown(clip, 0, clip.seconds, self._config.synthesize.frames)
        content += _words(self._prompts.fill("scenes", seconds=clip.seconds, cuts=shown))
        return self._mllm.ask(content, lambda r: [replies.scene(s) for s in listed(r, "scenes")])

    def questions(self, clip: Clip, scene: Scene) -> list[Draft]:
        """See `Author.questions`.

        Real-time questions are made from the scene alone. Standing questions are made from the
        video between the scene's beginning and the clip's end.
        """
        c, last = self._config.synthesize, scene.stop - 1
        drafts: list[Draft] = []
        asker = self._asker(clip, scene)
        if c.real_time:
            content = self._shown(clip, scene.first, scene.stop, c.frames)
            text = self._prompts.fill(
                "now", count=c.real_time, first=scene.first, last=last, **asker
            )
            levels, language = self._config.asking.levels, str(asker["language"])
            drafts += self._mllm.ask(
                [*content, *_words(text)],
                lambda r: [replies.now(q, levels, language) for q in listed(r, "questions")],
            )[: c.real_time]
        never = int(drawn(c.never, self._config.seed, "never", clip.id, scene.first))
        if c.proactive or c.multi_response or never:
            drafts += self._requests(clip, scene, never)
        return [replace(d, id=f"{clip.id}/{scene.first}-{i}") for i, d in enumerate(drafts)]

    def _asker(self, clip: Clip, scene: Scene) -> dict[str, object]:
        """Return the fields of a prompt that say who asks, in which language, and how hard."""
        asking, seed = self._config.asking, self._config.seed
        return {
            "persona": one_of(asking.personas, seed, "persona", clip.id, scene.first),
            "language": one_of(asking.languages, seed, "language", clip.id),
            "least": asking.least_level,
            "most": asking.most_level,
        }

    def _requests(self, clip: Clip, scene: Scene, never: int) -> list[Draft]:
        """Return standing questions with the times of their answers, and at most `never` more whose
        event does not happen.

        Up to `stretch_s` seconds, one request shows at least one frame a second. In longer video
        the times are only guesses, so they are asked for again, piece by piece.
        """
        c = self._config.synthesize
        asker = self._asker(clip, scene)
        content = self._shown(clip, scene.first, clip.seconds, c.frames)
        text = self._prompts.fill(
            "later",
            proactive=c.proactive,
            multi_response=c.multi_response,
            never=never,
            first=scene.first,
            last=scene.stop - 1,
            end=clip.seconds - 1,
            **asker,
        )
        levels, language = self._config.asking.levels, str(asker["language"])
        found = self._mllm.ask(
            [*content, *_words(text)],
            lambda r: [replies.later(q, levels, language) for q in listed(r, "requests")],
        )
        spare = [d for d in found if not d.answers][:never]
        told = [d for d in found if d not in spare]
        once = [d for d in told if d.kind is Kind.PROACTIVE][: c.proactive]
        often = [d for d in told if d.kind is Kind.MULTI_RESPONSE][: c.multi_response]
        requests = [*once, *often, *spare]
        if clip.seconds - scene.first <= c.stretch_s:
            return requests
        times: list[list[Answer]] = [[] for _ in requests]
        for first in range(scene.first, clip.seconds, c.stretch_s):
            stop = min(first + c.stretch_s, clip.seconds)
            waiting = [
                i
                for i, d in enumerate(requests)
                if d.chunk < stop - 1 and (d.kind is Kind.MULTI_RESPONSE or not times[i])
            ]
            if waiting:
                for i, answer in self._times(
                    clip, {i + 1: requests[i] for i in waiting}, first, stop
                ):
                    times[i - 1].append(answer)
        return [
            replace(d, answers=tuple(t[:1] if d.kind is Kind.PROACTIVE else t))
            for d, t in zip(requests, times, strict=True)
        ]

    def _times(
        self, clip: Clip, requests: dict[int, Draft], first: int, stop: int
    ) -> list[tuple[int, Answer]]:
        """Return the answers in chunks `first` .. `stop` - 1, each with its request's number.

        They are in order of time.
        """
        told = "\n".join(
            f"{i}. {'once' if d.kind is Kind.PROACTIVE else 'each time'}, asked at second"
            f" {d.chunk}: {d.text}"
            for i, d in requests.items()
        )
        before = max(0, first - 1)
        content = self._shown(clip, before, stop, self._config.synthesize.frames)
        text = self._prompts.fill("times", requests=told, before=before, first=first, last=stop - 1)

        def parse(reply: Any) -> list[tuple[int, Answer]]:
            return sorted(
                (replies.timed(t, requests, first, stop) for t in listed(reply, "times")),
                key=lambda found: found[1].chunk,
            )

        return self._mllm.ask([*content, *_words(text)], parse)

    def visible(self, clip: Clip, question: Question, answer: Answer, chunk: int) -> bool:
        """See `Author.visible`.

        The MLLM gets the pictures up to `chunk`, starting some seconds before the evidence.
        """
        first = min(answer.evidence, chunk) - self._config.synthesize.look_back_s + 1
        text = self._prompts.fill(
            "visible", question=question.draft, answer=answer.text, second=chunk
        )
        content = [*self._until(clip, first, chunk), *_words(text)]
        return self._mllm.ask(content, lambda r: replies.verdict(r, "visible")[0])

    def missed(self, clip: Clip, question: Question, first: int, stop: int) -> bool:
        """See `Author.missed`.

        The MLLM gets these seconds, the second before them, and the answers given before them.
        """
        told = (
            "\n".join(f"- {a.chunk}: {a.text}" for a in question.answers if a.chunk < first)
            or "(nothing)"
        )
        before = max(0, first - 1)
        text = self._prompts.fill(
            "missed",
            question=question.draft,
            asked=question.chunk,
            told=told,
            before=before,
            first=first,
            last=stop - 1,
        )
        content = [*self._shown(clip, before, stop, self._config.synthesize.frames), *_words(text)]
        return self._mllm.ask(content, lambda r: replies.verdict(r, "missed")[0])

    def siblings(self, clip: Clip, question: Question, count: int) -> list[Sibling]:
        """See `Author.siblings`."""
        levels = [n for n in self._config.asking.levels if n != question.level]
        count = min(count, len(levels))
        if count == 0:
            return []
        text = self._prompts.fill(
            "siblings",
            question=question.text,
            level=question.level,
            levels=", ".join(map(str, levels)),
            count=count,
            second=question.chunk,
        )
        content = [*self._back(clip, question.chunk), *_words(text)]
        found = self._mllm.ask(
            content,
            lambda r: [
                replies.sibling(q, self._config.asking.levels, question.text)
                for q in listed(r, "questions")
            ],
        )
        return found[:count]

    def answer(self, clip: Clip, text: str, chunk: int) -> Answer:
        """See `Author.answer`. The MLLM gets the pictures up to `chunk`."""
        content = [
            *self._back(clip, chunk),
            *_words(self._prompts.fill("answer", question=text, second=chunk)),
        ]
        return self._mllm.ask(
            content,
            lambda r: Answer(
                chunk,
                replies.alike(r, "answer", text, FOREIGN_WORDS),
                field(r, "evidence", int, chunk),
            ),
        )

    def rephrase(self, clip: Clip, question: Question) -> str:
        """See `Author.rephrase`. The MLLM gets no pictures."""
        content = _words(self._prompts.fill("rephrase", question=question.text))
        return self._mllm.ask(content, lambda r: replies.alike(r, "request", question.text))

    def ungrounded(self, sample: Sample) -> str:
        """See `Author.ungrounded`. The MLLM gets what the model will have, and nothing else."""
        t = sample.target
        history = (
            "\n".join(f"- {g.question} -> {' / '.join(g.answers)}" for g in sample.history)
            or "(nothing)"
        )
        turns = "\n".join(
            f"- {w.chunk}: {w.question or ''} -> {(w.answer if w.chunk != t.chunk else None) or ''}"
            for w in sample.turns
        )
        text = self._prompts.fill(
            "grounded",
            history=history,
            turns=turns,
            question=t.question,
            answer=t.answer,
            second=t.chunk,
            first=sample.first,
        )
        content = [
            *self._shown(sample.clip, sample.first, sample.stop, self._config.verify.frames),
            *_words(text),
        ]
        return self._mllm.ask(content, replies.ungrounded)

    # ---- pictures --------------------------------------------------------------------------------

    def _back(self, clip: Clip, chunk: int) -> list[dict[str, Any]]:
        return self._until(clip, chunk - self._config.synthesize.look_back_s + 1, chunk)

    def _until(self, clip: Clip, first: int, chunk: int) -> list[dict[str, Any]]:
        return self._shown(clip, max(0, first), chunk + 1, self._config.synthesize.frames)

    def _shown(self, clip: Clip, first: int, stop: int, most: int) -> list[dict[str, Any]]:
        """Return labelled pictures of chunks `first` .. `stop` - 1.

        There are at most `most`, evenly spaced; the last second is shown completely.
        """
        slots: Sequence[int] = range(first * FPS, stop * FPS)
        if len(slots) > most:
            earlier = len(slots) - FPS
            chosen = (
                {slots[i * earlier // (most - FPS)] for i in range(most - FPS)}
                if most > FPS
                else set()
            )
            slots = sorted(chosen | {*slots[-FPS:]})
        images = read_slots(self._media / clip.video, slots)
        out: list[dict[str, Any]] = []
        for slot in slots:
            out += picture(
                jpeg(images[slot], LONGEST, self._config.server.jpeg_quality),
                f"second {slot / FPS:g}",
            )
        return out


def _words(text: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": text}]
