"""The checkpoint's chat template, taken apart into the strings around each kind of content.

The template is rendered with marker texts. The differences between renderings are the turns. A
longer conversation is rendered to check that the turns, put together, give what the template
writes.

Templates differ in where the system text may stand (`_openings`), and in what the model is given
before it writes an answer (`_header`). No family is named here.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jinja2 import TemplateError

from aura_core.errors import ModelError, one_line
from aura_core.memory.form import PLAIN
from aura_core.models import families
from aura_core.models.backend import DEFAULT_SYSTEM_PROMPT, Around, ChatFormat
from aura_core.models.families.base import ChunkPrompt
from aura_core.models.grammar import FORMS, DecisionGrammar, GrammarForm, in_tokens, named
from aura_core.models.sidecar import AuraSidecar
from aura_core.models.special_tokens import SpecialTokens
from aura_core.models.tool_form import HERMES, ToolForm

SILENT = "<|silent|>"
SPACE = "\u2581"  # how SentencePiece writes a space
MOST_REMEMBERED = 1024  # texts from outside
_SYSTEM, _QUESTION, _ANSWER = "AuraSystemText", "AuraQuestionText", "AuraAnswerText"
_RESULT = "AuraResultText"
_THINK, _NO_THOUGHT = "<think>", "<think>\n\n</think>\n\n"  # as Qwen3's template closes a thought

# the next step for a template that cannot be taken apart
_WAY_OUT = "put a chat_template.jinja into its folder that writes every turn alike"

Message = dict[str, Any]


class HFTokenizer:
    """A `transformers` tokenizer as the engine's `Tokenizer`."""

    def __init__(self, tokenizer: Any) -> None:
        self.inner = tokenizer
        self._special: SpecialTokens | None = None
        self._size = 0  # of the vocabulary that `_special` was made for
        self._plain: dict[str, str] = {}  # by text from outside

    def encode(self, text: str) -> list[int]:
        """Ids of `text` and nothing else; special tokens that are written in it are recognised."""
        return self.inner.encode(text, add_special_tokens=False)

    def decode(self, ids: Sequence[int]) -> str:
        """Text of `ids` without special tokens."""
        return self.inner.decode(
            list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False
        )

    def written(self, ids: Sequence[int]) -> str:
        """Text of `ids` with special tokens written out; `encode` reads them back."""
        return self.inner.decode(
            list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False
        )

    def plain(self, text: str) -> str:
        """`text` without special tokens, see `SpecialTokens.plain`."""
        if self._special is None or self._size != len(self.inner):  # training adds a token
            self._special, self._size = self._specials(), len(self.inner)
            self._plain.clear()
        if text not in self._plain:
            # A watch is asked about in each chunk.
            if len(self._plain) >= MOST_REMEMBERED:
                self._plain.clear()
            self._plain[text] = self._special.plain(text)
        return self._plain[text]

    def _specials(self) -> SpecialTokens:
        """All added and special tokens.

        Two kinds are left out, unless they are marked as special: blanks, such as the runs of
        spaces that some tokenizers add, and single characters. They stand for themselves.
        """
        added = self.inner.added_tokens_decoder
        vocabulary = self.inner.get_vocab()
        marked = set(self.inner.all_special_tokens)
        marked |= {token.content for token in added.values() if token.special}
        texts = marked | {token.content for token in added.values()}
        texts |= set(self.inner.get_added_vocab())
        ends = (self.inner.eos_token, self.inner.bos_token)
        unknown = self.inner.unk_token
        return SpecialTokens(
            {
                vocabulary[t]: t
                for t in texts
                if t in vocabulary and (t in marked or len(t.replace(SPACE, " ").strip()) > 1)
            },
            self.encode,
            self.written,
            None if unknown in ends else unknown,
        )

    def single(self, token: str) -> int | None:
        """The id of `token` where it is one entry of the vocabulary; else None."""
        return self.inner.get_vocab().get(token)


def open_tokenizer(folder: Path, where: str) -> HFTokenizer:
    """The checkpoint's tokenizer, without its image processors.

    The processors need torchvision, which has no CPU build that fits CPU torch. Raises
    `ModelError`, which names the checkpoint as `where`.
    """
    import transformers

    # tokenizer.json is complete. A class that is chosen by model type could replace parts of it.
    whole = (folder / "tokenizer.json").is_file()
    kind = transformers.PreTrainedTokenizerFast if whole else transformers.AutoTokenizer
    try:
        return HFTokenizer(kind.from_pretrained(folder, local_files_only=True))
    except (OSError, ValueError, KeyError, TypeError) as e:
        reason = one_line(e, 200)
        raise ModelError(f"{where}: the tokenizer in {folder} cannot be read: {reason}") from e


def system(text: str) -> Message:
    """A system message."""
    return {"role": "system", "content": [{"type": "text", "text": text}]}


def user(text: str, chunk: Sequence[Mapping[str, str]]) -> Message:
    """A user message: the parts that show a chunk (`ChunkPrompt.content`), then `text`.

    An empty `text` is left out.
    """
    words = [{"type": "text", "text": text}] if text else []
    return {"role": "user", "content": [*map(dict, chunk), *words]}


def assistant(text: str) -> Message:
    """An assistant message."""
    return {"role": "assistant", "content": [{"type": "text", "text": text}]}


def extract(
    tokenizer: HFTokenizer,
    template: str | None,
    model_type: str,
    sidecar: AuraSidecar,
    where: str,
    chunk: ChunkPrompt | None = None,
) -> ChatFormat:
    """The chat format of a checkpoint.

    Args:
        tokenizer: the checkpoint's tokenizer.
        template: Jinja source of its chat template.
        model_type: from its config.json; the family tells what a chunk is in the prompt.
        sidecar: its `aura.json`.
        where: the checkpoint, for messages.
        chunk: what a chunk is in the prompt, where it is not as the family has it in this process.

    Raises:
        ModelError: there is no template, it refuses the family's chunks, or its turns cannot be put
            together.
    """
    if not template:
        raise ModelError(
            f"{where}: no chat template (chat_template.jinja, or in tokenizer_config.json)"
        )

    def written(*messages: Message, **kwargs: Any) -> str:
        # a template that lets the model think is asked for an answer at once
        return tokenizer.inner.apply_chat_template(
            list(messages), chat_template=template, tokenize=False, enable_thinking=False, **kwargs
        )

    def render(*messages: Message, prompt: bool = False) -> str:
        try:
            return written(*messages, add_generation_prompt=prompt)
        except (TemplateError, TypeError, ValueError) as e:
            reason = one_line(e, 200)
            raise ModelError(
                f"{where}: its chat template refuses system, video and answer turns: {reason}"
            ) from e

    told = chunk or families.find(model_type, where).prompt(model_type, sidecar)
    failures: list[ModelError] = []
    for chunk, opening in itertools.product(_marks(told), _openings(render)):
        try:
            turns = _take_apart(tokenizer, render, opening, chunk, where)
            break
        except ModelError as e:
            failures.append(e)
    else:
        raise ModelError(f"{failures[0]}; {_WAY_OUT}") from failures[0]
    for special in chunk.special:
        if tokenizer.single(special) is None:
            raise ModelError(f"{where}: its tokenizer lacks {special}")
    end_id = next(iter(tokenizer.encode(turns.answer[1])), -1)
    if end_id not in tokenizer.inner.added_tokens_decoder:
        raise ModelError(
            f"{where}: its chat template ends an answer with {turns.answer[1]!r}, no special token"
        )
    around = (turns.header, turns.answer[1])
    grammar = _grammar(tokenizer, sidecar, around, where)
    silent_id, trained = _silence(tokenizer, sidecar, grammar, end_id, where)
    return ChatFormat(
        system=turns.system,
        user=turns.user,
        assistant=around,
        chunk=chunk.format,
        silent_id=silent_id,
        end_id=end_id,
        system_prompt=(
            _system_prompt(grammar) if sidecar.system_prompt is None else sidecar.system_prompt
        ),
        trained_to_decide=trained,
        tools=_tool_form(written, turns.system, turns.user, turns.answer),
        begin=turns.begin,
        ask=turns.ask,
        lead=turns.lead,
        grammar=grammar,
        thought=_NO_THOUGHT if turns.thinks and not trained else "",
        memory=sidecar.memory or PLAIN,
    )


@dataclass(frozen=True)
class _Turns:
    """The texts around the contents of the turns, see `ChatFormat`.

    `answer` stands around an answer in the history; `header` is what the model is given before it
    writes one. `thinks`: the template opens a thought behind the header, and leaves it out of
    earlier turns.
    """

    system: tuple[str, str]
    user: tuple[str, str]
    answer: tuple[str, str]
    header: str
    begin: str
    ask: str
    lead: str
    thinks: bool


def _openings(render: Callable[..., str]) -> tuple[list[Message], ...]:
    """The ways to tell a template the system text, the usual one first.

    As a system message; or, for a template without a system role or one that merges it into the
    next turn, as a first user turn with an empty answer. So every later turn is written the same,
    whichever turns stand before it.
    """
    told = system(_SYSTEM)
    try:
        if str(told["content"]) in render(told, user(_QUESTION, ())):
            told["content"] = _SYSTEM  # it writes the list itself: it wants one text
    except ModelError:
        pass
    return [told], [user(_SYSTEM, ()), assistant("")]


def _marks(chunk: ChunkPrompt) -> Iterator[ChunkPrompt]:
    """The ways in which a template may mark a chunk: as told, or with a line break after it."""
    yield chunk
    if isinstance(chunk.format, Around):
        *texts, last = chunk.format.texts
        broken = Around((*texts, f"{last}\n"))
        yield replace(chunk, written=f"{chunk.written}\n", format=broken)


def _take_apart(
    tokenizer: HFTokenizer,
    render: Callable[..., str],
    opening: list[Message],
    chunk: ChunkPrompt,
    where: str,
) -> _Turns:
    """The turns as `render` writes them after `opening`. Raises `ModelError`."""
    a = assistant(_ANSWER)
    u, alone = user(_QUESTION, chunk.content), user("", chunk.content)
    begun, answered = render(*opening, u), render(*opening, u, a)
    again = render(*opening, u, a, u)
    if again.startswith(answered):
        user_turn = _rest(answered, again, where)
    else:  # it writes a thought into the newest answer, and leaves it out of the earlier ones
        user_turn = _rest(begun, render(*opening, u, u), where)
        answered = again.removesuffix(user_turn)
    answer_turn = _rest(begun, answered, where)
    alone_turn = _rest(answered, render(*opening, u, a, alone), where)
    head = begun.removesuffix(user_turn)
    if head == begun:
        raise _rewritten(begun[-len(user_turn) :], user_turn, where)
    system_parts = _split(head, _SYSTEM, where)
    before, user_end = _split(user_turn, _QUESTION, where)
    user_begin, close = _split(alone_turn, chunk.written, where)
    ask = before.removeprefix(user_begin + chunk.written)
    if ask == before or ask.strip() or close != user_end:
        raise _rewritten(alone_turn, user_turn, where)
    answer_parts = _split(answer_turn, _ANSWER, where)
    given = _rest(begun, render(*opening, u, prompt=True), where)
    header = _header(tokenizer, given, answer_parts[0], where)

    asked, silent, said = user_turn, alone_turn, answer_turn
    rebuilt = _SYSTEM.join(system_parts) + asked + said + silent + said + asked + said + asked
    whole = render(*opening, u, a, alone, a, u, a, u, prompt=True)
    if rebuilt + given != whole:
        raise _rewritten(whole, rebuilt + given, where)
    try:
        begin = render(u).removesuffix(user_turn)
    except ModelError:
        begin = ""
    usual = answer_parts[0]
    return _Turns(
        system=system_parts,
        user=(user_begin, user_end),
        answer=answer_parts,
        header=header,
        begin=begin if system_parts[0].startswith(begin) else "",
        ask=ask,
        lead=usual.removeprefix(header) if usual.startswith(header) else "",
        thinks=given.removeprefix(usual).startswith(_THINK),
    )


def _header(tokenizer: HFTokenizer, given: str, usual: str, where: str) -> str:
    """What stands before each answer: what the model is given before it writes one.

    It may differ from the `usual` header of the history in blanks. The answer then stays as it was
    generated, so that the cache stays valid. A thought is no part of it, see `ChatFormat.thought`.
    """
    if given.startswith(usual) and given.removeprefix(usual).startswith(_THINK):
        return usual
    thought = tokenizer.encode(given.removeprefix(usual).strip())
    marks = {*thought[:1], *thought[-1:]}
    closed = len(marks) == 2 and marks <= {*tokenizer.inner.added_tokens_decoder}
    if given.strip() == usual.strip() or (given.startswith(usual) and closed):
        return given
    raise _rewritten(given, usual, where)


def _tool_form(
    written: Callable[..., str],
    system_parts: tuple[str, str],
    user_parts: tuple[str, str],
    answer_parts: tuple[str, str],
) -> ToolForm | None:
    """The form in which the template writes tools, calls and results; None when it is not known.

    `written` renders messages; the parts are those of the turns without tools.
    """
    parameters = {"type": "object", "properties": {"x": {"type": "string"}}, "required": ["x"]}
    tool = {"name": "tool", "description": "what it does", "parameters": parameters}
    call = {"name": tool["name"], "arguments": {"x": "é"}}
    called = assistant(_ANSWER) | {"tool_calls": [{"type": "function", "function": call}]}
    messages = [
        system(_SYSTEM),
        {"role": "user", "content": _QUESTION},
        called,
        {"role": "tool", "content": _RESULT},
        {"role": "user", "content": _QUESTION},
    ]
    try:
        whole = written(*messages, tools=[{"type": "function", "function": tool}])
    except (TemplateError, TypeError, ValueError):
        return None
    calls = f"<tool_call>\n{json.dumps(call, ensure_ascii=False)}\n</tool_call>"
    hermes = f"{_SYSTEM}\n\n{HERMES.definitions([tool])}".join(system_parts)
    hermes += _QUESTION.join(user_parts)
    hermes += f"{_ANSWER}\n{calls}".join(answer_parts)
    hermes += HERMES.result(_RESULT).join(user_parts) + _QUESTION.join(user_parts)
    return HERMES if whole == hermes else None


def _grammar(
    tokenizer: HFTokenizer, sidecar: AuraSidecar, around: tuple[str, str], where: str
) -> DecisionGrammar | None:
    """The decision grammar of the checkpoint; None where the silent token alone decides."""
    if sidecar.grammar is not None:
        form: GrammarForm | None = FORMS[sidecar.grammar]
    elif sidecar.respond_token or sidecar.delegate_token:
        tasks = (sidecar.delegate_token,) if sidecar.delegate_token else ()
        form = GrammarForm(str(sidecar.silent_token), sidecar.respond_token or "", tasks)
    elif sidecar.silent_token or tokenizer.single(SILENT) is not None:
        form = None
    else:
        form = named(tokenizer.single, where)
    return None if form is None else in_tokens(form, tokenizer.encode, around, where)


def _silence(
    tokenizer: HFTokenizer,
    sidecar: AuraSidecar,
    grammar: DecisionGrammar | None,
    end_id: int,
    where: str,
) -> tuple[int, bool]:
    """The id of the token that tells silence, and whether the checkpoint was trained to decide.

    Without a silent token it is the id of the end token.
    """
    if grammar is not None:
        decides = sidecar.trained_to_decide
        return grammar.silent[0], True if decides is None else decides
    silent_id = tokenizer.single(sidecar.silent_token or SILENT)
    if silent_id is None and sidecar.silent_token:
        raise ModelError(
            f"{where}: aura.json names the silent token '{sidecar.silent_token}', the tokenizer"
            " lacks it"
        )
    known = silent_id is not None
    trained = known if sidecar.trained_to_decide is None else sidecar.trained_to_decide
    return (silent_id if silent_id is not None else end_id), trained


def _system_prompt(grammar: DecisionGrammar | None) -> str:
    """The default system prompt, with the markers that the checkpoint was trained with."""
    if grammar is None:
        return DEFAULT_SYSTEM_PROMPT
    silent, *others = grammar.form.markers
    prompt = DEFAULT_SYSTEM_PROMPT.replace(SILENT, silent)
    if grammar.form.respond:
        prompt += f" Before your words, output {others[0]}."
    if grammar.form.delegates:
        task = grammar.form.delegates[0].rstrip()
        prompt += f" To hand a task over to a helper, output {task} and the task."
    return prompt


def _rewritten(found: str, wanted: str, where: str) -> ModelError:
    """The error for a turn that is written in another way at another place."""
    pairs = enumerate(zip(found, wanted, strict=False))
    at = next((i for i, (x, y) in pairs if x != y), min(len(found), len(wanted)))
    return ModelError(
        f"{where}: its chat template rewrites turns (at {found[at : at + 40]!r}): not supported"
    )


def _rest(begin: str, text: str, where: str) -> str:
    if not text.startswith(begin) or text == begin:
        raise ModelError(
            f"{where}: its chat template does not write one turn after another: not supported"
        )
    return text[len(begin) :]


def _split(text: str, sentinel: str, where: str) -> tuple[str, str]:
    before, found, after = text.partition(sentinel)
    if not found or sentinel in after:
        raise ModelError(
            f"{where}: its chat template writes {text[:60]!r} where {sentinel!r} was expected"
        )
    return before, after
