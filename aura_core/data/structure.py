"""Stage 4: a conversation to training samples, one for each answer, and some that end in silence.

It uses the engine's own `Conversation`, window and prompt code, second by second, with the words
that are given. A sample is what the window holds when an answer is due. Its tokens are therefore
those that the engine feeds to the model at that step (tested).

The samples that end in silence show what the others cannot: the seconds after a clip's last answer
(`structure.after_last`), and a stream in which nobody has asked anything (`structure.unasked`).
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from aura_core.config import ModelConfig
from aura_core.data.draws import drawn, one_of
from aura_core.data.outcome import Outcome, Stage
from aura_core.data.schema import Answer, Clip, Conversation, Question, Sample, Target, Words
from aura_core.data.settings import StructureConfig
from aura_core.errors import ModelError
from aura_core.extras import how_to_install
from aura_core.models.backend import Piece, Seen, Tokens
from aura_core.stream.conversation import Conversation as Dialogue
from aura_core.stream.prefix import QAGroup
from aura_core.stream.prompt import PromptCodec
from aura_core.stream.window import DualWindow, Turn
from aura_core.types import Kind, Query

NS = 1_000_000_000
UNASKED = "-unasked"  # ends the id of a clip that is shown without its questions
LEAST_S = 4  # seconds that a sample without questions shows at least, where the clip has so many


class Shown(Protocol):
    """Words of a chunk: a question, an answer or both."""

    @property
    def chunk(self) -> int: ...

    @property
    def question(self) -> str | None: ...

    @property
    def answer(self) -> str | None: ...


class Window(Protocol):
    """A window as text, such as a `Sample`: chunks `first` .. `stop` - 1 after the history."""

    @property
    def first(self) -> int: ...

    @property
    def stop(self) -> int: ...

    @property
    def history(self) -> tuple[QAGroup, ...]: ...

    @property
    def turns(self) -> Sequence[Shown]: ...


def open_stage(config: StructureConfig, seed: int) -> Stage:
    """Return the stage, with the checkpoint's tokenizer. Raises `ModelError`."""
    codec = open_codec(config.checkpoint)
    return Stage(Conversation, lambda c: structure(c, codec, config, seed))


def open_codec(checkpoint: str) -> PromptCodec:
    """Open the tokenizer and chat template of a checkpoint, without its weights or torch.

    Raises `ModelError`.
    """
    if checkpoint == "scripted":
        from aura_core.models.scripted import ScriptedBackend

        backend = ScriptedBackend()
        return PromptCodec(backend.tokenizer, backend.chat)
    from aura_core.models import checkpoint as files
    from aura_core.models.sidecar import read_aura, read_template

    try:
        from aura_core.models.chat import extract, open_tokenizer
    except ImportError as e:
        raise ModelError(
            f"{e.name} is not installed; it reads the tokenizer: {how_to_install('server')}"
        ) from e
    path = ModelConfig(path=checkpoint).path
    folder = files.find(path, checkpoint, weights=False)
    tokenizer = open_tokenizer(folder, checkpoint)
    template = read_template(folder, tokenizer.inner.chat_template)
    chat = extract(
        tokenizer, template, files.family(folder, checkpoint), read_aura(folder), checkpoint
    )
    return PromptCodec(tokenizer, chat)


def structure(
    conversation: Conversation, codec: PromptCodec, config: StructureConfig, seed: int = 0
) -> Outcome:
    """Return all samples of one conversation. `seed` draws those that end in silence."""
    out = Outcome()
    clip = conversation.clip
    questions = [
        q
        for q in conversation.questions
        if _inside(q, clip, out) and _speakable(q, codec, config, out)
    ]
    last = max((c for q in questions for c in (q.chunk, *(a.chunk for a in q.answers))), default=-1)
    after: Collection[int] = ()
    if questions and last + 1 < clip.seconds and drawn(config.after_last, seed, "after", clip.id):
        after = (one_of(range(last + 1, clip.seconds), seed, "after which", clip.id),)
    _play(clip, questions, after, codec, config, out)
    if not out.records:
        out.reject(clip.id, "nothing to say")
        return out
    if drawn(config.unasked, seed, "unasked", clip.id):
        # another id: to a trainer it is another conversation, with its own answers (none)
        quiet = replace(clip, id=clip.id + UNASKED)
        chunk = one_of(range(min(LEAST_S, clip.seconds) - 1, clip.seconds), seed, quiet.id)
        _play(quiet, (), (chunk,), codec, config, out)
    return out


def kind_of(sample: Sample) -> str:
    """Return what a sample teaches, in the words of the report."""
    if not sample.target.silent:
        return f"{sample.target.kind} samples"
    return "samples without a question" if _is_unasked(sample) else "samples after the last answer"


def _is_unasked(sample: Sample) -> bool:
    return sample.clip.id.endswith(UNASKED)


def _play(
    clip: Clip,
    questions: Sequence[Question],
    silent: Collection[int],
    codec: PromptCodec,
    config: StructureConfig,
    out: Outcome,
) -> None:
    """Play a conversation. Each answer gives a sample, and so do the chunks in `silent`, in which
    nothing is said; once something has been said, if there is anything to say."""
    asked, due = {q.chunk: q for q in questions}, _due(questions)
    played = Dialogue(codec, config.window)
    spoken: dict[int, str] = {}  # chunk to words
    for chunk in range(clip.seconds):
        question = asked.get(chunk)
        query = Query(question.text, question.id, chunk * NS, question.kind) if question else None
        if query is not None:
            played.ask(query)
        out.counts["switches"] += played.make_room()
        turn = played.open(chunk, codec.chat.chunk.stand_in(chunk), query)
        text, owner, evidence = _said(chunk, question, due)
        target = None
        if owner is not None:
            ids = codec.answer_ids(text.strip())
            said = played.say(turn, ids, query, chunk * NS + NS // 2)  # stamp of the newest frame
            turn = said.turn
            if said.response is None:
                why = f"the engine would not say it: {said.suppressed}"
                out.reject(f"{clip.id}/{chunk}", why, text)
            else:
                spoken[chunk] = text
                target = _target(owner, query, chunk, text, evidence)
        elif chunk in silent and (spoken or not questions):
            target = Target(chunk, "", Kind.REAL_TIME, False, "", "", "", chunk)
        if target is not None:
            sample = _sample(clip, played.window, turn, target, spoken, codec)
            out.records.append(sample)
            out.counts[kind_of(sample)] += 1
        played.close(turn)


def pieces_of(window: Window, codec: PromptCodec, seen: Callable[[int], Seen]) -> list[Piece]:
    """Return a window as the engine's pieces: head, then the two turns of each chunk.

    Args:
        seen: by chunk, what takes its place: the encoded chunk, or `ChunkFormat.stand_in` where
            only the text counts.

    The last piece is the assistant turn of chunk `stop` - 1.
    """
    words = {t.chunk: t for t in window.turns}
    pieces: list[Piece] = [codec.head(codec.prefix(window.history))]
    for chunk in range(window.first, window.stop):
        user, ids = turn_of(codec, seen(chunk), words.get(chunk))
        pieces += [*user, codec.assistant(ids)]
    return pieces


def turn_of(
    codec: PromptCodec, seen: Seen, words: Shown | None
) -> tuple[list[Piece], tuple[int, ...] | None]:
    """Return the user turn of a chunk, and the token ids of its answer (None: silence)."""
    question, answer = (words.question, words.answer) if words else (None, None)
    ids = None if answer is None else codec.answer_ids(answer.strip())
    return codec.user(seen, question), ids


def digest(pieces: Iterable[Piece]) -> tuple[int, str]:
    """Return the number of text tokens, and a SHA-256 of the sequence.

    In the hashed sequence, each run of visual tokens is the single number -1 - chunk.
    """
    ids: list[int] = []
    text = 0
    for piece in pieces:
        if isinstance(piece, Tokens):
            ids += piece.ids
            text += len(piece.ids)
        else:
            ids.append(-1 - int(piece.features))
    return text, hashlib.sha256(np.asarray(ids, "<i8").tobytes()).hexdigest()


def _due(questions: Iterable[Question]) -> dict[int, list[tuple[Question, Answer]]]:
    """Return the later answers of standing questions, by second."""
    due: dict[int, list[tuple[Question, Answer]]] = {}
    for q in questions:
        if q.kind is not Kind.REAL_TIME:
            for answer in q.answers:
                due.setdefault(answer.chunk, []).append((q, answer))
    return due


def _said(
    chunk: int, question: Question | None, due: dict[int, list[tuple[Question, Answer]]]
) -> tuple[str, Question | None, int]:
    """Return the words of a second, their question (None: silence), and the evidence's second.

    Answers of several questions in the same second are joined; equal answers are said once.
    """
    if question is not None:
        if question.kind is Kind.REAL_TIME:
            return question.answers[0].text, question, question.answers[0].evidence
        return question.acknowledgment, question, chunk
    if chunk not in due:
        return "", None, chunk
    texts = dict.fromkeys(a.text.strip() for _, a in due[chunk])
    return " ".join(texts), due[chunk][-1][0], min(a.evidence for _, a in due[chunk])


def _inside(q: Question, clip: Clip, out: Outcome) -> bool:
    """Whether the question and all its answers are in the clip."""
    last = max([q.chunk, *(a.chunk for a in q.answers)])
    if last >= clip.seconds:
        out.reject(q.id, "time outside the clip", f"{last} s of {clip.seconds} s")
    return last < clip.seconds


def _speakable(q: Question, codec: PromptCodec, config: StructureConfig, out: Outcome) -> bool:
    """Whether the engine would accept the question and say all its answers unchanged."""
    said = [*([q.acknowledgment] if q.acknowledgment else []), *(a.text for a in q.answers)]
    lengths = [codec.question_tokens(t) for t in said]
    asked = codec.question_tokens(q.text)
    if lost := next((t for t in (q.text, *said) if not _known(t, codec)), ""):
        left = codec.text(codec.answer_ids(lost.strip()))
        out.reject(q.id, "words that the tokenizer does not know", f"of '{lost}' is left '{left}'")
    elif asked > config.max_question_tokens:
        out.reject(
            q.id, "question too long", f"{asked} tokens, {config.max_question_tokens} are allowed"
        )
    elif max(lengths, default=0) > config.max_answer_tokens:
        out.reject(
            q.id,
            "answer too long",
            f"{max(lengths)} tokens, {config.max_answer_tokens} are allowed",
        )
    else:
        return True
    return False


def _known(text: str, codec: PromptCodec) -> bool:
    """Whether the tokenizer gives the text back. A small tokenizer drops words it does not know."""
    given, back = codec.plain(text), codec.text(codec.answer_ids(text.strip()))
    return back == given or "" != _letters(given) == _letters(back)


def _letters(text: str) -> str:
    """Return the part of a text that carries the meaning.

    Case, spaces, punctuation and composed accents may differ after a round trip through a
    tokenizer.
    """
    plain = unicodedata.normalize("NFC", text).casefold()
    return "".join(c for c in plain if unicodedata.category(c)[0] not in "PZC")


def _target(q: Question, query: Query | None, chunk: int, text: str, evidence: int) -> Target:
    acknowledgment = query is not None and q.kind is not Kind.REAL_TIME
    return Target(chunk, q.id, q.kind, acknowledgment, q.text, q.draft, text, evidence)


def _sample(
    clip: Clip,
    window: DualWindow,
    newest: Turn,
    target: Target,
    spoken: dict[int, str],
    codec: PromptCodec,
) -> Sample:
    turns = [*window.turns, newest]
    pieces: list[Piece] = [codec.head(window.prefix)]
    for turn in turns:
        pieces += turn.pieces(codec)
    tokens, sha = digest(pieces)
    words = tuple(
        Words(
            t.chunk,
            t.question_id,
            t.question,
            spoken[t.chunk] if t.answer_ids is not None else None,
            t.answer_id,
        )
        for t in turns
        if t.question is not None or t.answer_ids is not None
    )
    stop = target.chunk + 1
    return Sample(
        f"{clip.id}/{target.chunk}",
        clip,
        turns[0].chunk,
        stop,
        window.prefix.groups,
        words,
        target,
        tokens,
        sha,
    )
