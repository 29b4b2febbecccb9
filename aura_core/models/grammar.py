"""Decision grammars: what a model that was trained to decide writes at the beginning of a turn.

AURA writes one silent token, or words. Others write a marker before the words too, and may hand a
task over to somebody else:

    </silence>
    </response> It is raining.
    </delegate> look up when the rain ends

`GrammarForm` has the markers as text, `DecisionGrammar` as the token ids of one tokenizer. A marker
may be one special token or a short run of tokens. Then the tokens that silence and words have in
common (`lead`) are prefilled with the chunk, and the first token after them decides. So a silent
step stays one call of the model. The rest of the marker is appended, not generated.

Knows no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aura_core.errors import ModelError

Ids = tuple[int, ...]


@dataclass(frozen=True)
class GrammarForm:
    """The markers as text. Blanks at the end of a marker stand between it and the words.

    `respond` empty: words begin at once. A marker of `delegates` begins a task, at the beginning of
    a turn or after words.
    """

    silent: str
    respond: str = ""
    delegates: tuple[str, ...] = ()

    @property
    def markers(self) -> tuple[str, ...]:
        """All markers, without blanks."""
        return tuple(m.rstrip() for m in (self.silent, self.respond, *self.delegates) if m)


#: the forms that are known by name; `aura.json` may name one, or give its markers itself
FORMS = {
    # JoyAI-VL-Interaction. Its documents have `</delegate>`; the prompt of its server lets the
    # model write a note first, and then `</delegation>`.
    "joyai": GrammarForm("</silence>", "</response> ", ("</delegate> ", "</delegation> ")),
    # MOSS-VL-Realtime, which hands nothing over
    "moss": GrammarForm("<|silence|>", "<|response|>"),
}


@dataclass(frozen=True)
class DecisionGrammar:
    """A form as token ids.

    `lead` begins silence and words. `silent`, `respond` and each of `delegates` are what follows it
    in their marker. A task that does not begin with `lead` is empty in `delegates`: it can only
    follow words.
    """

    form: GrammarForm
    lead: Ids
    silent: Ids
    respond: Ids
    delegates: tuple[Ids, ...] = ()

    def first(self, end_id: int) -> Ids | None:
        """The ids that may follow `lead`; None: all. An empty turn is silence where it can be."""
        if not self.respond:
            return None
        markers = (self.silent, self.respond, *filter(None, self.delegates))
        return tuple({*(m[0] for m in markers), *(() if self.lead else (end_id,))})

    def after(self, ids: Sequence[int]) -> Ids:
        """The ids that may follow `ids` within a marker; empty where the marker is complete."""
        begun, n = tuple(ids), len(ids)
        markers = [m for m in (self.respond, *self.delegates) if m and m[:n] == begun]
        return tuple(sorted({m[n] for m in markers if len(m) > n}))

    def split(self, ids: Sequence[int]) -> tuple[str, Ids]:
        """The marker of a task at the beginning of an answer ("" where there is none), and the ids
        after the answer's marker."""
        begun = tuple(ids)
        for text, marker in zip(self.form.delegates, self.delegates, strict=True):
            if marker and begun[: len(marker)] == marker:
                return text, begun[len(marker) :]
        n = len(self.respond)
        return "", begun[n:] if begun[:n] == self.respond else begun


def only(logits: NDArray[np.float32], ids: Sequence[int] | None) -> NDArray[np.float32]:
    """`logits` (vocabulary,) with minus infinity at all other ids; None: as they are."""
    if ids is None:
        return logits
    masked = np.full_like(logits, -np.inf)
    masked[list(ids)] = logits[list(ids)]
    return masked


def in_tokens(
    form: GrammarForm, encode: Callable[[str], Sequence[int]], around: tuple[str, str], where: str
) -> DecisionGrammar:
    """The token ids of a form.

    Args:
        form: the markers.
        encode: text to ids, special tokens recognised.
        around: what the chat template writes before and after an answer; a marker is tokenized
            between them.
        where: the checkpoint, for messages.

    Raises:
        ModelError: the first token after the lead does not tell silence from the other markers, or
            the tokenizer joins a marker with what stands beside it.
    """
    header, end = around
    before = tuple(encode(header))

    def ids(marker: str, after: str) -> Ids:
        """The ids of a marker, which do not change when `after` follows it."""
        text = marker.rstrip()
        whole = tuple(encode(header + text))
        alone = whole[len(before) :]
        joined = tuple(encode(header + marker + after))
        if whole[: len(before)] != before or joined[: len(whole)] != whole:
            raise ModelError(
                f"{where}: its tokenizer joins the marker '{text}' with what stands beside it: not"
                " supported"
            )
        return alone

    silent = ids(form.silent, end)
    respond = ids(form.respond, "x") if form.respond else ()
    if form.respond:
        lead = _common(silent, respond)
    elif len(silent) == 1:
        lead = ()
    else:
        raise ModelError(
            f"{where}: the silent marker '{form.silent}' is {len(silent)} tokens, and words have no"
            " marker, so that no single token decides: not supported"
        )
    n, tasks = len(lead), [ids(marker, "x") for marker in form.delegates]
    # Without a marker of words, a task is told by its text alone, wherever it stands.
    first = [t[n:] if respond and t[:n] == lead else () for t in tasks]
    grammar = DecisionGrammar(form, lead, silent[n:], respond[n:], tuple(first))
    if not respond:
        return grammar
    others = [m for m in (grammar.respond, *first) if m]
    if not grammar.silent or not grammar.respond or grammar.silent[0] in {m[0] for m in others}:
        raise ModelError(
            f"{where}: the markers {', '.join(form.markers)} are not told apart by the first token"
            " that differs: not supported"
        )
    pairs = ((a, b) for i, a in enumerate(others) for j, b in enumerate(others) if i != j)
    if any(b[: len(a)] == a for a, b in pairs):
        raise ModelError(
            f"{where}: one of the markers {', '.join(form.markers)} begins with another one: not"
            " supported"
        )
    return grammar


def named(single: Callable[[str], int | None], where: str) -> GrammarForm | None:
    """The known form of a checkpoint; None where there is none.

    Its tokenizer has the markers as single tokens (`single` gives their ids), or its name tells.
    """
    for form in FORMS.values():
        needed = (form.silent.rstrip(), form.respond.rstrip())
        if all(single(marker) is not None for marker in needed):
            return form
    name = where.rstrip("/").rpartition("/")[2].lower()
    return FORMS["joyai"] if "joyai-vl-interaction" in name else None


def _common(a: Ids, b: Ids) -> Ids:
    n = 0
    while n < min(len(a), len(b)) and a[n] == b[n]:
        n += 1
    return a[:n]
