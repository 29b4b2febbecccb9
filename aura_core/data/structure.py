"""Stage 4: a conversation to training samples, one for each answer, through the engine's own window
and prompt code.

The data engine plays the engine's own `Conversation`, second by second, with the words that are
given. What is in view when an answer is due is the sample, so its tokens are the tokens that the
engine feeds at that step (tested).
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable

import numpy as np

from aura_core.config import ModelConfig
from aura_core.data.outcome import Outcome, Stage
from aura_core.data.schema import Answer, Clip, Conversation, Question, Sample, Target, Words
from aura_core.data.settings import StructureConfig
from aura_core.errors import ModelError, how_to_install
from aura_core.models.backend import Piece, Tokens, Video
from aura_core.stream.conversation import Conversation as Dialogue
from aura_core.stream.prompt import PromptCodec, plain_text
from aura_core.stream.window import DualWindow, Turn
from aura_core.types import Kind, Query

NS = 1_000_000_000
GRID = (1, 1)  # visual tokens of a chunk: they change neither window nor text


def open_stage(config: StructureConfig) -> Stage:
    """The stage, with the checkpoint's tokenizer."""
    codec = open_codec(config.checkpoint)
    return Stage(Conversation, lambda c: structure(c, codec, config))


def open_codec(checkpoint: str) -> PromptCodec:
    """Tokenizer and chat template of a checkpoint, without its weights and without torch. Raises
    `ModelError`."""
    if checkpoint == "scripted":
        from aura_core.models.scripted import ScriptedBackend

        backend = ScriptedBackend()
        return PromptCodec(backend.tokenizer, backend.chat)
    from aura_core.models import AURA_TINY
    from aura_core.models import checkpoint as files
    from aura_core.models.sidecar import read_aura, read_template

    try:
        from aura_core.models.chat import extract, open_tokenizer
    except ImportError as e:
        raise ModelError(
            f"{e.name} is not installed; it reads the tokenizer: {how_to_install('server')}"
        ) from e
    path = str(AURA_TINY) if checkpoint == "aura_tiny" else ModelConfig(path=checkpoint).path
    folder = files.find(path, checkpoint, weights=False)
    tokenizer = open_tokenizer(folder, checkpoint)
    template = read_template(folder, tokenizer.inner.chat_template)
    chat = extract(
        tokenizer, template, files.family(folder, checkpoint), read_aura(folder), checkpoint
    )
    return PromptCodec(tokenizer, chat)


def structure(conversation: Conversation, codec: PromptCodec, config: StructureConfig) -> Outcome:
    """All samples of one conversation."""
    out = Outcome()
    clip = conversation.clip
    questions = [q for q in conversation.questions if _speakable(q, codec, config, out)]
    asked, due = {q.chunk: q for q in questions}, _due(questions)
    played = Dialogue(codec, config.window)
    spoken: dict[int, str] = {}  # chunk to words
    for chunk in range(clip.seconds):
        question = asked.get(chunk)
        query = Query(question.text, question.id, chunk * NS, question.kind) if question else None
        if query is not None:
            played.ask(query)
        out.counts["switches"] += played.make_room()
        turn = played.open(chunk, Video(chunk, GRID), query)
        text, owner, evidence = _said(chunk, question, due)
        if owner is not None:
            ids = codec.tokenizer.encode(plain_text(text))
            said = played.say(turn, ids, query, chunk * NS + NS // 2)  # stamp of the newest frame
            turn = said.turn
            if said.response is None:
                why = f"the engine would not say it: {said.suppressed}"
                out.reject(f"{clip.id}/{chunk}", why, text)
            else:
                spoken[chunk] = text
                target = _target(owner, query, chunk, text, evidence)
                out.records.append(_sample(clip, played.window, turn, target, spoken, codec))
                out.counts[f"{owner.kind} samples"] += 1
        played.close(turn)
    if not out.records:
        out.reject(clip.id, "nothing to say")
    return out


def pieces_of(sample: Sample, codec: PromptCodec, videos: Iterable[Video]) -> list[Piece]:
    """The sample as the engine's pieces: head, then user and assistant turn of each chunk in view.

    `videos` are the encoded chunks `first` .. `stop` - 1. The last piece is the target's assistant
    turn.
    """
    words = {w.chunk: w for w in sample.turns}
    pieces: list[Piece] = [codec.head(codec.prefix(sample.history))]
    for chunk, video in zip(range(sample.first, sample.stop), videos, strict=True):
        w = words.get(chunk)
        pieces += codec.user(video, w.question if w else None)
        ids = (
            tuple(codec.tokenizer.encode(plain_text(w.answer)))
            if w and w.answer is not None
            else None
        )
        pieces.append(codec.assistant(ids))
    return pieces


def digest(pieces: Iterable[Piece]) -> tuple[int, str]:
    """Number of text tokens, and a hash of the sequence in which each chunk's video stands as -1 -
    chunk."""
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
    """Later answers of standing questions, by second."""
    due: dict[int, list[tuple[Question, Answer]]] = {}
    for q in questions:
        if q.kind is not Kind.REAL_TIME:
            for answer in q.answers:
                due.setdefault(answer.chunk, []).append((q, answer))
    return due


def _said(
    chunk: int, question: Question | None, due: dict[int, list[tuple[Question, Answer]]]
) -> tuple[str, Question | None, int]:
    """What is said in a second, the question behind it (None: silence), and the second that shows
    the evidence.

    Answers of several questions that fall together are said together; the same words are said once.
    """
    if question is not None:
        if question.kind is Kind.REAL_TIME:
            return question.answers[0].text, question, question.answers[0].evidence
        return question.acknowledgment, question, chunk
    if chunk not in due:
        return "", None, chunk
    texts = dict.fromkeys(a.text.strip() for _, a in due[chunk])
    return " ".join(texts), due[chunk][-1][0], min(a.evidence for _, a in due[chunk])


def _speakable(q: Question, codec: PromptCodec, config: StructureConfig, out: Outcome) -> bool:
    """Whether the engine would take the question and say all its answers to the end, in these
    words."""
    said = [*([q.acknowledgment] if q.acknowledgment else []), *(a.text for a in q.answers)]
    lengths = [codec.question_tokens(t) for t in said]
    asked = codec.question_tokens(q.text)
    if lost := next((t for t in (q.text, *said) if not _known(t, codec)), ""):
        left = codec.text(codec.tokenizer.encode(plain_text(lost)))
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
    """Whether the tokenizer gives back what it was given: a small one leaves out the words that it
    does not know."""
    given, back = plain_text(text), codec.text(codec.tokenizer.encode(plain_text(text)))
    return back == given or "" != _letters(given) == _letters(back)


def _letters(text: str) -> str:
    """What carries the meaning. Case, spaces, punctuation and composed accents may come back
    otherwise."""
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
