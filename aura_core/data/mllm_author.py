"""An MLLM as author and judge: which pictures and words it gets, and how replies are read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from aura_core.data.author import Draft, Sibling
from aura_core.data.mllm import MLLM, picture
from aura_core.data.prompts import Prompts
from aura_core.data.schema import Answer, Clip, Question, Sample, Scene
from aura_core.data.settings import DataConfig
from aura_core.data.video import FPS, jpeg, read_clip
from aura_core.replies import Malformed
from aura_core.types import Kind

LONGEST = 640  # pixels of a picture's longer side
_STANDING = {"proactive": Kind.PROACTIVE, "multi-response": Kind.MULTI_RESPONSE}


class MLLMAuthor:
    """An `Author` that asks an MLLM. It reads the clips below `media`."""

    knows_all = False

    def __init__(self, mllm: MLLM, prompts: Prompts, config: DataConfig, media: Path) -> None:
        self._mllm, self._prompts, self._config, self._media = mllm, prompts, config, media

    @classmethod
    def open(
        cls, config: DataConfig, media: Path, prompts: Path | None, replies: Path | None
    ) -> MLLMAuthor:
        """Return an author with the prompts of the folder `prompts` (None: the package's own).

        No connection is opened yet. Raises `ConfigError`.
        """
        texts = Prompts.load(prompts)
        return cls(MLLM(config.server, texts, replies), texts, config, media)

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
        return self._mllm.ask(content, lambda r: [_scene(s) for s in _list(r, "scenes")])

    def questions(self, clip: Clip, scene: Scene) -> list[Draft]:
        """See `Author.questions`.

        Real-time questions are made from the scene alone. Standing questions are made from the
        video between the scene's beginning and the clip's end.
        """
        c, last = self._config.synthesize, scene.stop - 1
        drafts: list[Draft] = []
        if c.real_time:
            content = self._shown(clip, scene.first, scene.stop, c.frames)
            content += _words(
                self._prompts.fill("now", count=c.real_time, first=scene.first, last=last)
            )
            drafts += self._mllm.ask(content, lambda r: [_now(q) for q in _list(r, "questions")])[
                : c.real_time
            ]
        if c.proactive or c.multi_response:
            drafts += self._requests(clip, scene)
        return [replace(d, id=f"{clip.id}/{scene.first}-{i}") for i, d in enumerate(drafts)]

    def _requests(self, clip: Clip, scene: Scene) -> list[Draft]:
        """Return standing questions with the times of their answers.

        Up to `stretch_s` seconds, one request shows at least one frame a second. In longer video
        the times are only guesses, so they are asked for again, piece by piece.
        """
        c = self._config.synthesize
        content = self._shown(clip, scene.first, clip.seconds, c.frames)
        text = self._prompts.fill(
            "later",
            proactive=c.proactive,
            multi_response=c.multi_response,
            first=scene.first,
            last=scene.stop - 1,
            end=clip.seconds - 1,
        )
        found = self._mllm.ask(
            [*content, *_words(text)], lambda r: [_later(q) for q in _list(r, "requests")]
        )
        once = [d for d in found if d.kind is Kind.PROACTIVE][: c.proactive]
        requests = once + [d for d in found if d.kind is Kind.MULTI_RESPONSE][: c.multi_response]
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
                (_timed(t, requests, first, stop) for t in _list(reply, "times")),
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
        return self._mllm.ask(content, lambda r: _field(r, "visible", bool))

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
        return self._mllm.ask(content, lambda r: _field(r, "missed", bool))

    def siblings(self, clip: Clip, question: Question, count: int) -> list[Sibling]:
        """See `Author.siblings`."""
        if count == 0:
            return []
        text = self._prompts.fill(
            "siblings",
            question=question.text,
            level=question.level,
            count=count,
            second=question.chunk,
        )
        content = [*self._back(clip, question.chunk), *_words(text)]
        found = self._mllm.ask(content, lambda r: [_sibling(q) for q in _list(r, "questions")])
        return found[:count]

    def answer(self, clip: Clip, text: str, chunk: int) -> Answer:
        """See `Author.answer`. The MLLM gets the pictures up to `chunk`."""
        content = [
            *self._back(clip, chunk),
            *_words(self._prompts.fill("answer", question=text, second=chunk)),
        ]
        return self._mllm.ask(
            content,
            lambda r: Answer(chunk, _field(r, "answer", str), _field(r, "evidence", int, chunk)),
        )

    def rephrase(self, clip: Clip, question: Question) -> str:
        """See `Author.rephrase`. The MLLM gets no pictures."""
        content = _words(self._prompts.fill("rephrase", question=question.text))
        return self._mllm.ask(content, lambda r: _field(r, "request", str))

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
        return self._mllm.ask(content, _verdict)

    # ---- pictures --------------------------------------------------------------------------------

    def _back(self, clip: Clip, chunk: int) -> list[dict[str, Any]]:
        return self._until(clip, chunk - self._config.synthesize.look_back_s + 1, chunk)

    def _until(self, clip: Clip, first: int, chunk: int) -> list[dict[str, Any]]:
        return self._shown(clip, max(0, first), chunk + 1, self._config.synthesize.frames)

    def _shown(self, clip: Clip, first: int, stop: int, most: int) -> list[dict[str, Any]]:
        """Return labelled pictures of chunks `first` .. `stop` - 1.

        There are at most `most`, evenly spaced; the last second is shown completely.
        """
        images = read_clip(self._media / clip.video)
        slots = range(first * FPS, stop * FPS)
        if len(slots) > most:
            earlier = len(slots) - FPS
            chosen = (
                {slots[i * earlier // (most - FPS)] for i in range(most - FPS)}
                if most > FPS
                else set()
            )
            slots = sorted(chosen | {*slots[-FPS:]})
        out: list[dict[str, Any]] = []
        for slot in slots:
            out += picture(
                jpeg(images[slot], LONGEST, self._config.server.jpeg_quality),
                f"second {slot / FPS:g}",
            )
        return out


# ---- replies -------------------------------------------------------------------------------------


def _words(text: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": text}]


def _list(reply: Any, name: str) -> list[Any]:
    return _field(reply, name, list)


def _field(data: Any, name: str, kind: type, default: Any = None) -> Any:
    """Return a field of a reply. Raises `Malformed`."""
    if not isinstance(data, dict):
        raise Malformed(f"expected an object with '{name}', found {data!r:.60}")
    value = data.get(name, default)
    if value is None:
        raise Malformed(f"the field '{name}' is missing")
    if kind is int and isinstance(value, float) and math.isfinite(value) and value >= 0:
        value = int(value)  # 1.5 s is in second 1
    if type(value) is not kind or (kind is str and not value.strip()):
        raise Malformed(
            f"'{name}' must be {'a text' if kind is str else kind.__name__}, not {value!r:.60}"
        )
    if kind is str and not _encodes(value):
        raise Malformed(
            f"'{name}' holds a lone surrogate, which is not valid Unicode text: {value!r:.60}"
        )
    return value


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _scene(data: Any) -> Scene:
    return Scene(
        _field(data, "first", int), _field(data, "stop", int), _field(data, "summary", str)
    )


def _now(data: Any) -> Draft:
    second = _field(data, "second", int)
    answer = Answer(second, _field(data, "answer", str), _field(data, "evidence", int, second))
    text = _field(data, "question", str)
    return Draft("", Kind.REAL_TIME, second, text, (answer,), "", _field(data, "level", int))


def _later(data: Any) -> Draft:
    kind = _STANDING.get(_field(data, "kind", str))
    if kind is None:
        raise Malformed(f"'kind' must be one of {', '.join(_STANDING)}, not {data['kind']!r}")
    answers = []
    for a in _list(data, "answers"):
        second = _field(a, "second", int)
        answers.append(Answer(second, _field(a, "answer", str), second))
    return Draft(
        "",
        kind,
        _field(data, "second", int),
        _field(data, "request", str),
        tuple(answers),
        _field(data, "acknowledgment", str),
        _field(data, "level", int),
    )


def _timed(data: Any, requests: dict[int, Draft], first: int, stop: int) -> tuple[int, Answer]:
    number, second = _field(data, "request", int), _field(data, "second", int)
    if number not in requests:
        raise Malformed(f"'request' must be one of {', '.join(map(str, requests))}, not {number}")
    earliest = max(first, requests[number].chunk + 1)
    if not earliest <= second < stop:
        raise Malformed(
            f"'second' must be from {earliest} to {stop - 1} for request {number}, not {second}"
        )
    return number, Answer(second, _field(data, "answer", str), second)


def _sibling(data: Any) -> Sibling:
    return Sibling(_field(data, "question", str), _field(data, "level", int))


def _verdict(reply: Any) -> str:
    return (
        "" if _field(reply, "grounded", bool) else _field(reply, "reason", str, "no reason given")
    )
