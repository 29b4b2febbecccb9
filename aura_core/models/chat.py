"""The checkpoint's chat template, taken apart into the strings around each kind of content.

The template is rendered with marker texts. The differences between renderings are the turns. A
longer conversation is rendered to check that the turns, put together, give what the template
writes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import TemplateError

from aura_core.errors import ModelError, one_line
from aura_core.models import families
from aura_core.models.backend import DEFAULT_SYSTEM_PROMPT, ChatFormat
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
    tokenizer: HFTokenizer, template: str | None, model_type: str, sidecar: AuraSidecar, where: str
) -> ChatFormat:
    """The chat format of a checkpoint.

    Args:
        tokenizer: the checkpoint's tokenizer.
        template: Jinja source of its chat template.
        model_type: from its config.json; the family tells what a chunk is in the prompt.
        sidecar: its `aura.json`.
        where: the checkpoint, for messages.

    Raises:
        ModelError: there is no template, it refuses the family's chunks, or its turns cannot be put
            together.
    """
    if not template:
        raise ModelError(
            f"{where}: no chat template (chat_template.jinja, or in tokenizer_config.json)"
        )

    def written(*messages: Message, **kwargs: Any) -> str:
        return tokenizer.inner.apply_chat_template(
            list(messages), chat_template=template, tokenize=False, **kwargs
        )

    def render(*messages: Message, prompt: bool = False) -> str:
        try:
            return written(*messages, add_generation_prompt=prompt, enable_thinking=False)
        except (TemplateError, TypeError, ValueError) as e:
            reason = one_line(e, 200)
            raise ModelError(
                f"{where}: its chat template refuses system, video and answer turns: {reason}"
            ) from e

    chunk = families.find(model_type, where).prompt(model_type, sidecar)
    s, a = system(_SYSTEM), assistant(_ANSWER)
    u, alone = user(_QUESTION, chunk.content), user("", chunk.content)
    begun = render(s, u)
    user_turn = _rest(begun, render(s, u, u), where)
    system_turn = begun.removesuffix(user_turn)
    # Not of the newest turn: a template may leave thoughts out of the earlier ones.
    answer_turn = _rest(begun, render(s, u, a, u), where).removesuffix(user_turn)
    system_parts = _split(system_turn, _SYSTEM, where)
    user_parts = _split(user_turn, chunk.written + _QUESTION, where)
    answer_parts = _split(answer_turn, _ANSWER, where)

    def turn(text: str) -> str:
        return user_parts[0] + chunk.written + text + user_parts[1]

    rebuilt = _SYSTEM.join(system_parts)
    for i in range(3):
        rebuilt += turn(_QUESTION if i != 1 else "") + _ANSWER.join(answer_parts)
    thought = _thought(begun + answer_parts[0], render(s, u, prompt=True))
    rebuilt += turn(_QUESTION) + answer_parts[0] + thought
    whole = render(s, u, a, alone, a, u, a, u, prompt=True)
    if rebuilt != whole:
        at = next(
            (i for i, (x, y) in enumerate(zip(rebuilt, whole, strict=False)) if x != y),
            len(rebuilt),
        )
        raise ModelError(
            f"{where}: its chat template rewrites turns (at {whole[at : at + 40]!r}): not supported"
        )
    for special in chunk.special:
        if tokenizer.single(special) is None:
            raise ModelError(f"{where}: its tokenizer lacks {special}")
    end_id = next(iter(tokenizer.encode(answer_parts[1])), -1)
    if end_id not in tokenizer.inner.added_tokens_decoder:
        raise ModelError(
            f"{where}: its chat template ends an answer with {answer_parts[1]!r}, no special token"
        )
    grammar = _grammar(tokenizer, sidecar, answer_parts, where)
    silent_id, trained = _silence(tokenizer, sidecar, grammar, end_id, where)
    return ChatFormat(
        system=system_parts,
        user=user_parts,
        assistant=answer_parts,
        chunk=chunk.format,
        silent_id=silent_id,
        end_id=end_id,
        system_prompt=(
            _system_prompt(grammar) if sidecar.system_prompt is None else sidecar.system_prompt
        ),
        trained_to_decide=trained,
        tools=_tool_form(written, system_parts, user_parts, answer_parts),
        grammar=grammar,
        thought=_NO_THOUGHT if thought and not trained else "",
    )


def _thought(header: str, prompt: str) -> str:
    """The thought that the template opens for a new answer, as it writes it; "" without one.

    `header` are the turns before an answer with the assistant header, `prompt` is the same as the
    template writes it for a new answer.
    """
    rest = prompt.removeprefix(header)
    return rest if rest.startswith(_THINK) and prompt.startswith(header) else ""


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


def deciding(tokenizer: HFTokenizer, chat: ChatFormat) -> str:
    """How a checkpoint decides, as a part of its description."""
    if chat.thought:
        return "not trained to be silent: asked yes or no each second, without a thought"
    if not chat.trained_to_decide:
        return "not trained to be silent: asked yes or no each second"
    if chat.grammar is not None:
        return f"decides by {', '.join(chat.grammar.form.markers)}"
    return f"decides by {tokenizer.inner.convert_ids_to_tokens(chat.silent_id)}"


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
