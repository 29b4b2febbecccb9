"""Stage 2: scenes, and questions with verified times.

Two-step verification (AURA, arXiv 2604.04184): an answer must be visible at its time, and the
answer of a standing question must not be visible in the second before. A question with one wrong
time is rejected as a whole, because its silences cannot be trusted either. Silence is a training
target too. So the longest stretches without an answer are checked for events that the author
missed.
"""

from __future__ import annotations

from pathlib import Path

from aura_core.data import scenes as pictures
from aura_core.data.author import Author, Draft
from aura_core.data.outcome import ItemError, Outcome, Stage
from aura_core.data.schema import Clip, Conversation, Question, Scene
from aura_core.data.settings import SynthesizeConfig
from aura_core.data.video import FPS, read_clip
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
    scenes = _scenes(clip, cuts, author, out) if config.ask_scenes else cuts
    questions: list[Question] = []
    for scene in scenes:
        try:
            drafts = author.questions(clip, scene)
        except ItemError as e:
            out.leave_out(f"{clip.id}/{scene.first}", "questions", e)
            continue
        for draft in drafts:
            out.counts[f"{draft.kind} drafts"] += 1
            if draft.kind is not Kind.REAL_TIME and not draft.answers and not author.knows_all:
                out.reject(
                    draft.id,
                    "no answer",
                    f"'{draft.text}' at {draft.chunk} s: nobody checked its silence",
                )
                continue
            question = _checked(draft, clip, scene, out)
            if question is not None and _stands(question, clip, author, config, out):
                out.counts[f"{draft.kind} verified"] += 1
                questions.append(question)
    if not questions:
        out.reject(clip.id, "no question left")
        return out
    questions.sort(key=lambda q: (q.chunk, q.id))
    out.counts["scenes"] = len(scenes)
    out.records.append(Conversation(clip, tuple(scenes), tuple(questions)))
    return out


def _cuts(clip: Clip, media: Path, config: SynthesizeConfig) -> list[Scene]:
    """Return the scenes that are found from the pictures alone.

    The pictures of a long clip take a gigabyte, so they are released before the author is asked.
    """
    images = read_clip(media / clip.video)
    if len(images) != FPS * clip.seconds:
        raise ItemError(
            "clip changed", f"{clip.video} has {len(images)} pictures, not {FPS * clip.seconds}"
        )
    return pictures.cut(images, config)


def _scenes(clip: Clip, cuts: list[Scene], author: Author, out: Outcome) -> list[Scene]:
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
    return scenes


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


def _stands(
    question: Question, clip: Clip, author: Author, config: SynthesizeConfig, out: Outcome
) -> bool:
    """Whether all checks were made and passed. A check that fails to run costs this question."""
    try:
        return _verified(question, clip, author, out) and _silent(
            question, clip, author, config, out
        )
    except ItemError as e:
        out.leave_out(question.id, "check", e)
        return False


def _verified(question: Question, clip: Clip, author: Author, out: Outcome) -> bool:
    """Whether every time of the question passes both checks."""
    for answer in question.answers:
        out.counts["times checked"] += 1
        if not author.visible(clip, question, answer, answer.chunk):
            reason = "not visible at its time"
        elif question.kind is not Kind.REAL_TIME and author.visible(
            clip, question, answer, answer.chunk - 1
        ):
            reason = "visible before its time"
        else:
            continue
        out.counts["times refused"] += 1
        out.reject(question.id, reason, f"'{question.text}' -> '{answer.text}' at {answer.chunk} s")
        return False
    return True


def _silent(
    question: Question, clip: Clip, author: Author, config: SynthesizeConfig, out: Outcome
) -> bool:
    """Whether no event was missed in the longest stretches without an answer."""
    for first, stop in silences(question, clip.seconds, config.stretch_s)[: config.silences]:
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
