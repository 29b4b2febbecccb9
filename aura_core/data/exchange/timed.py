"""What somebody said about a video, at times in it, as a conversation of the data engine.

A question whose only answer is in its own second is real-time. A question with later answers is a
standing one: the engine always speaks in the second of a question, so it needs an acknowledgment.
An answer in that second is taken as the acknowledgment; without one, words of the settings are.

Files do not always say what they mean. What is guessed is told (`Left` of a list of its own): whose
answer words are, where a standing question waits beside a newer one; a question that is answered a
second late, which is put into the second of its answer; and a standing question whose words do not
ask for a later answer (`standing_kind`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from aura_core.data.language import language_of
from aura_core.data.schema import Answer, Clip, Conversation, Question, Scene
from aura_core.stream.attribution import standing_kind
from aura_core.types import Kind

ACKNOWLEDGMENTS = {"zh": "好的，我会告诉你。", "en": "Okay, I will tell you."}
LEVEL = 1  # nothing is known about the difficulty of what others wrote


@dataclass(frozen=True)
class Line:
    """Words at a time of the video, in seconds from its first frame.

    `question`: the index of the question that is answered; None: the file does not say, or nobody
    asked. `hands_over`: the words hand a task over, so they are no answer.
    """

    at_s: float
    text: str
    question: int | None = None
    hands_over: bool = False


@dataclass(frozen=True)
class Talk:
    """All that one entry of a file says about one video.

    `where` is the file and line of the entry, and `video` the name that it has there.
    """

    where: str
    video: str
    asked: tuple[Line, ...]
    said: tuple[Line, ...]


@dataclass(frozen=True)
class Left:
    """A part of an entry that is left out, or guessed: one of a few phrases, and more of it."""

    reason: str
    detail: str


@dataclass(frozen=True)
class Part:
    """A clip as a part of its video.

    `last`: no clip of the same video follows. Then times up to a second after its end are in its
    last second: a video of 10.6 s has 10 whole seconds, and files name second 10 too.
    """

    clip: Clip
    last: bool

    def chunk(self, at_s: float) -> int | None:
        """Return the clip's chunk of a time of the video; None where it is not in the clip."""
        chunk = int(at_s - self.clip.start_s) if at_s >= self.clip.start_s else -1
        if self.last and chunk == self.clip.seconds:
            chunk -= 1
        return chunk if 0 <= chunk < self.clip.seconds else None


def owned(talk: Talk) -> tuple[Talk, list[Left]]:
    """Return the talk with the question of each line, and which of them had to be guessed.

    It is the newest one asked up to its second. When that one asks for no later answer and has had
    one in an earlier second, it is the newest question before it that still waits: its words ask
    for later answers, for several or for one that did not come yet. Lines before the first question
    keep None.
    """
    guessed: list[Left] = []
    seconds: dict[int, set[int]] = {}  # by question: the seconds in which it was answered
    kinds = [standing_kind(a.text) for a in talk.asked]
    said = list(talk.said)

    def waits(i: int, second: int) -> bool:
        later = {s for s in seconds.get(i, ()) if int(talk.asked[i].at_s) < s < second}
        return kinds[i] is Kind.MULTI_RESPONSE or (kinds[i] is not None and not later)

    for k, line in sorted(enumerate(talk.said), key=lambda x: x[1].at_s):
        second = int(line.at_s)
        if line.question is None:
            before = [i for i, a in enumerate(talk.asked) if int(a.at_s) <= second]
            if not before:
                continue
            before.sort(key=lambda i: (talk.asked[i].at_s, -i), reverse=True)
            newest, *older = before
            waiting = [i for i in older if waits(i, second)]
            answered = any(s < second for s in seconds.get(newest, ()))
            settled = kinds[newest] is None and answered
            owner = waiting[0] if waiting and settled else newest
            said[k] = replace(line, question=owner)
            if waiting:
                told = f"'{line.text}' at {line.at_s:g} s, given to '{talk.asked[owner].text}'"
                guessed.append(Left("an answer while several questions wait", _at(talk, told)))
        seconds.setdefault(said[k].question or 0, set()).add(second)
    return replace(talk, said=tuple(said)), guessed


def _at(talk: Talk, told: str) -> str:
    return f"{talk.where}: {told}"


def outside(talk: Talk, parts: Sequence[Part]) -> list[Left]:
    """Return the questions, and the words that nobody asked for, that lie in no clip."""
    lines = [*talk.asked, *(s for s in talk.said if s.question is None)]
    return [
        Left("time outside the video", f"{talk.where}: '{line.text}' at {line.at_s:g} s")
        for line in lines
        if all(p.chunk(line.at_s) is None for p in parts)
    ]


def conversation(
    talk: Talk, part: Part, prompt: str, acknowledgment: str = ""
) -> tuple[Conversation | None, list[Left], list[Left]]:
    """Return the part of a talk that lies in a clip, what is left out of it, and what is guessed.

    None where no question is left.

    Args:
        talk: knows the questions of its lines (`owned`).
        part: the clip.
        prompt: the question at the clip's beginning for words that nobody asked for.
        acknowledgment: "": the words of `ACKNOWLEDGMENTS` in the question's language.
    """
    written = len(talk.asked)  # further questions are the prompt's
    talk = _prompted(talk, part, prompt)
    left: list[Left] = []
    guessed: dict[str, Left] = {}  # by question
    questions: list[Question] = []
    for index, asked in enumerate(talk.asked):
        if (chunk := part.chunk(asked.at_s)) is None:
            continue
        made = _question(talk, index, chunk, part, acknowledgment, index < written)
        if isinstance(made, Left):
            left.append(made)
            continue
        questions.append(made)
        if index < written and (reason := _guess(made, chunk)):
            told = f"'{made.text}' at {talk.asked[index].at_s:g} s"
            guessed[made.id] = Left(reason, _at(talk, told))
    kept = _apart(talk.where, questions, left)
    if not kept:
        return None, left, []
    scene = Scene(0, part.clip.seconds, "")
    guesses = [guessed[q.id] for q in kept if q.id in guessed]
    return Conversation(part.clip, (scene,), tuple(kept)), left, guesses


def _prompted(talk: Talk, part: Part, prompt: str) -> Talk:
    """Return the talk with a question for the words in this clip that nobody asked for."""
    last = len(talk.asked)  # at the end, so that the other indices stay
    said = tuple(
        replace(s, question=last) if s.question is None and part.chunk(s.at_s) is not None else s
        for s in talk.said
    )
    if said == talk.said:
        return talk
    return replace(talk, asked=(*talk.asked, Line(part.clip.start_s, prompt)), said=said)


def _question(
    talk: Talk, index: int, chunk: int, part: Part, acknowledgment: str, written: bool
) -> Question | Left:
    """Return a question with its answers. `written`: it stands in the file."""
    text = talk.asked[index].text
    due: dict[int, list[str]] = {}
    for line in talk.said:
        if line.question != index:
            continue
        if line.hands_over:  # without it, its second would be taught as silence
            told = f"{talk.where}: '{line.text}' at {line.at_s:g} s"
            return Left("a question whose response hands a task over", told)
        at = part.chunk(line.at_s)
        if at is None:
            told = f"{talk.where}: '{line.text}' at {line.at_s:g} s, its question at {chunk} s"
            return Left("answered outside its clip", told)
        if at < chunk:
            return Left("answered before it is asked", f"{talk.where}: '{text}' at {chunk} s")
        due.setdefault(at, []).append(line.text)
    now = " ".join(due.pop(chunk, []))
    stands = standing_kind(text)
    if written and not stands and not now and [*due] == [chunk + 1]:
        # answered a second late: what the answer tells is in view in its own second
        chunk += 1
        now = " ".join(due.pop(chunk))
    answers = tuple(Answer(at, " ".join(due[at]), at) for at in sorted(due))
    if not answers and not stands:
        if not now:
            return Left("no answer", f"{talk.where}: '{text}' at {chunk} s")
        kind, answers, now = Kind.REAL_TIME, (Answer(chunk, now, chunk),), ""
    elif len(answers) > 1 or stands is Kind.MULTI_RESPONSE:
        kind = Kind.MULTI_RESPONSE
    else:
        kind = Kind.PROACTIVE
    if kind is not Kind.REAL_TIME and not now:
        spoken = "zh" if language_of(text) == "zh" else "en"
        now = acknowledgment or ACKNOWLEDGMENTS[spoken]
    name = f"{part.clip.id}/{chunk}-{index}"
    return Question(name, kind, chunk, text, answers, now, LEVEL, text)


def _guess(made: Question, chunk: int) -> str:
    """Return what was guessed about a question that the file has at `chunk`; "" for nothing."""
    if made.chunk != chunk:
        return "a question that was answered a second late is asked a second later"
    if made.kind is Kind.REAL_TIME or standing_kind(made.text) is not None:
        return ""
    return "a question with later answers that its words do not ask for"


def _apart(where: str, questions: Sequence[Question], left: list[Left]) -> list[Question]:
    """Return the questions that fit into one conversation, in order.

    The engine hears one question a second, and says one thing: a question in the second of another
    one, or of another one's answer, is left out.
    """
    kept: list[Question] = []
    for q in sorted(questions, key=lambda q: q.chunk):
        taken = {k.chunk for k in kept}
        answered = {a.chunk for k in kept for a in k.answers}
        if q.chunk in taken | answered or taken & {a.chunk for a in q.answers}:
            left.append(Left("two things in one second", f"{where}: '{q.text}' at {q.chunk} s"))
        else:
            kept.append(q)
    return kept
