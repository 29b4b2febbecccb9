"""Stage 2: scenes, and questions with verified times.

Every time is checked, and one that is a little off is put right (`times.py`). A question with a
time that cannot be put right is rejected as a whole, because its silences cannot be trusted either.
Silence is a training target too. So the longest stretches without an answer are checked for events
that the author missed. A request whose event never happens is kept only when nothing is found in
any stretch until the clip's end.
"""

from __future__ import annotations

from pathlib import Path

from aura_core.data import scenes as pictures
from aura_core.data import survival
from aura_core.data.author import Author, Draft
from aura_core.data.outcome import ItemError, Outcome, Stage
from aura_core.data.schema import Clip, Conversation, Question, Scene
from aura_core.data.settings import SynthesizeConfig
from aura_core.data.times import in_order, settled
from aura_core.data.video import pictures_of
from aura_core.types import Kind


def open_stage(media: Path, author: Author, config: SynthesizeConfig, threads: int) -> Stage:
    """Return the stage on clips below `media`."""
    return Stage(
        Clip,
        lambda clip: synthesize(clip, media, author, config),
        author.cost,
        author.close,
        threads,
    )


def synthesize(clip: Clip, media: Path, author: Author, config: SynthesizeConfig) -> Outcome:
    """Return the clip's conversation, with verified questions only."""
    out = Outcome()
    cuts = _cuts(clip, media, config)
    scenes = _scenes(clip, cuts, author, config, out) if config.ask_scenes else cuts
    questions: list[Question] = []
    for scene in scenes:
        try:
            drafts = author.questions(clip, scene)
        except ItemError as e:
            out.leave_out(f"{clip.id}/{scene.first}", "questions", e)
            continue
        for draft in drafts:
            question = verified(draft, clip, scene, author, config, out)
            if question is not None:
                questions.append(question)
    if not questions:
        out.reject(clip.id, "no question left")
        return out
    questions.sort(key=lambda q: (q.chunk, q.id))
    out.counts["scenes"] = len(scenes)
    out.records.append(Conversation(clip, tuple(scenes), tuple(questions)))
    return out


def verified(
    draft: Draft, clip: Clip, scene: Scene, author: Author, config: SynthesizeConfig, out: Outcome
) -> Question | None:
    """Return the draft as a question with right times, or None where it was rejected.

    A check that cannot be made costs this question alone. Raises `ItemError` where another try may
    succeed.
    """
    standing = draft.kind is not Kind.REAL_TIME
    never = standing and not draft.answers
    out.counts[f"{draft.kind} drafts"] += 1
    out.counts["drafts that never come true"] += never
    if never and not author.knows_all and not config.never:
        told = f"'{draft.text}' at {draft.chunk} s: nobody checked its silence"
        out.reject(draft.id, "no answer", told)
        question = None
    else:
        question = _checked(in_order(draft, clip.seconds, config.repair_s), clip, scene, out)
    if question is not None:
        question = _right(question, clip, scene, author, config, out)
    if standing:
        survival.count(out, len(draft.answers), question is not None)
    if question is not None:
        out.counts[f"{draft.kind} verified"] += 1
        out.counts["verified that never come true"] += never
    return question


def _cuts(clip: Clip, media: Path, config: SynthesizeConfig) -> list[Scene]:
    """Return the scenes that are found from the pictures alone."""
    cuts = pictures.cut(pictures_of(media / clip.video), config)
    seconds = cuts[-1].stop if cuts else 0
    if seconds != clip.seconds:
        raise ItemError("clip changed", f"{clip.video} has {seconds} s, not {clip.seconds}")
    return cuts


def _scenes(
    clip: Clip, cuts: list[Scene], author: Author, config: SynthesizeConfig, out: Outcome
) -> list[Scene]:
    """Return the author's scenes, or `cuts` where these cannot be used."""
    try:
        scenes = author.scenes(clip, cuts)
    except ItemError as e:
        out.leave_out(clip.id, "scenes", e)
        return cuts
    if fault := _fault(scenes, clip.seconds):
        out.counts["scene lists refused"] += 1
        out.reject(clip.id, "scenes: " + fault)
        return cuts
    return pictures.fitted(scenes, config)


def _checked(draft: Draft, clip: Clip, scene: Scene, out: Outcome) -> Question | None:
    """Return the draft as a question, or None if its times contradict the clip or its kind."""
    if not scene.first <= draft.chunk < scene.stop:
        out.reject(
            draft.id,
            "asked outside its scene",
            f"at {draft.chunk} s, the scene is {scene.first}..{scene.stop}",
        )
        return None
    late = [a.chunk for a in draft.answers if not 0 <= a.chunk < clip.seconds]
    if late:
        out.reject(draft.id, "time outside the clip", f"{late[0]} s of {clip.seconds} s")
        return None
    try:
        return Question(
            draft.id,
            draft.kind,
            draft.chunk,
            draft.text,
            draft.answers,
            draft.acknowledgment,
            draft.level,
            draft.text,
        )
    except ValueError as e:
        out.reject(draft.id, "contradicts itself", str(e))
        return None


def _right(
    question: Question,
    clip: Clip,
    scene: Scene,
    author: Author,
    config: SynthesizeConfig,
    out: Outcome,
) -> Question | None:
    """Return the question with right times, or None where a check was not passed or not made."""
    try:
        right = settled(question, clip, scene, author, config.repair_s, out)
        quiet = right is not None and _silent(right, clip, author, config, out)
    except ItemError as e:
        out.leave_out(question.id, "check", e)
        return None
    return right if quiet else None


def _silent(
    question: Question, clip: Clip, author: Author, config: SynthesizeConfig, out: Outcome
) -> bool:
    """Whether no event was missed in the longest stretches without an answer.

    Where the author only believes that the event never happens, all stretches are looked at.
    """
    stretches = silences(question, clip.seconds, config.stretch_s)
    if question.answers or author.knows_all:
        stretches = stretches[: config.silences]
    for first, stop in stretches:
        out.counts["silences checked"] += 1
        if author.missed(clip, question, first, stop):
            out.counts["silences refused"] += 1
            out.reject(
                question.id,
                "silent where it happens",
                f"'{question.text}' in {first}..{stop - 1} s",
            )
            return False
    return True


def silences(question: Question, seconds: int, longest: int) -> list[tuple[int, int]]:
    """Return the stretches (first, stop) in which a standing question waits, longest first.

    Each is at most `longest` chunks long. The second before an answer is left out, because it is
    checked with the answer. A proactive question stops waiting at its answer.
    """
    if question.kind is Kind.REAL_TIME:
        return []
    waits, first = [], question.chunk + 1
    for answer in question.answers:
        waits.append((first, answer.chunk - 1))
        first = answer.chunk + 1
    if question.kind is Kind.MULTI_RESPONSE or not question.answers:
        waits.append((first, seconds))
    found = [
        (a, min(a + longest, stop)) for first, stop in waits for a in range(first, stop, longest)
    ]
    return sorted(found, key=lambda s: (s[0] - s[1], s[0]))


def _fault(scenes: list[Scene], seconds: int) -> str:
    """Return what is wrong with a list of scenes; "" if they cover 0 to `seconds` in order."""
    edges = [0, *(s.stop for s in scenes)]
    if not scenes or edges[-1] != seconds:
        return "they do not cover the clip"
    wrong = any(s.first != e or s.stop <= s.first for s, e in zip(scenes, edges, strict=False))
    return "gap or overlap" if wrong else ""
