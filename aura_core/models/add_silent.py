"""Adds the silent token to a checkpoint folder: `aura model add-silent`.

Only the tables of the embedding and the head change, each by the rows that `silent_token` gives.
Every other tensor is written as it was read, bit for bit and in its own type; every other file is
copied. So the logits of all other tokens are what they were. No model is built: one file of weights
is in memory at a time.
"""

from __future__ import annotations

import filecmp
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from aura_core.errors import InputError, ModelError, one_line
from aura_core.models import checkpoint, portable, quantized
from aura_core.models.chat import SILENT, HFTokenizer, extract, open_tokenizer
from aura_core.models.sidecar import read_aura, read_json, read_template
from aura_core.models.silent_token import grown

# The ends of the tables' names, in all families.
_EMBEDDING, _HEAD = "embed_tokens.weight", "lm_head.weight"
_INDEX = "model.safetensors.index.json"


@dataclass(frozen=True)
class Added:
    """What was done.

    - `token`: the id of the silent token.
    - `rows`: rows of the embedding table, before and after.
    - `had`: the checkpoint had the token before; it was copied as it is.
    - `there`: the folder held exactly this already; it was left alone.
    """

    token: int
    rows: tuple[int, int]
    had: bool
    there: bool


def add_silent(path: str, out: Path) -> Added:
    """Write the checkpoint at `path` with a silent token to `out`.

    Args:
        path: a folder, a hub id or an embedded model.
        out: a folder that does not exist, is empty, or holds the result already.

    A checkpoint that has the token is copied, so that doing it twice gives the same bytes.

    Raises:
        ModelError: there is no checkpoint, it cannot take the token (quantized weights, a grammar
            of its own, the name used for something else), or its tables do not fit its tokenizer.
        InputError: `out` cannot be written, or holds something else.
    """
    folder = checkpoint.find(path, path)
    if method := quantized.method(folder):
        raise ModelError(
            f"{path}: its weights are quantized ({method}), and a table of theirs cannot get a new"
            " row: add the token to the checkpoint that they were made from, then quantize"
        )
    checkpoint.check(folder, path)
    tokenizer = open_tokenizer(folder, path)
    token, had = _token(folder, tokenizer, path)
    tables = _Tables.read(folder, token, token + 1 if had else token, path)
    part = out.with_name(f"{out.name}.part")
    try:
        _usable(out, folder)
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        _write(folder, part, token, had, tables)
        _check(part, token, path)
        there = out.is_dir() and any(out.iterdir())
        if there and not _same(part, out):
            raise InputError(
                f"{out}: holds something else than {path} with a silent token; name another folder"
            )
        if not there:
            part.replace(out)
    except OSError as e:
        raise InputError(f"{out}: cannot be written: {e.strerror}; name another folder") from e
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return Added(token, (tables.rows, tables.rows if had else tables.rows_after), had, there)


# ---- what the checkpoint says -------------------------------------------------------------------


def _token(folder: Path, tokenizer: HFTokenizer, where: str) -> tuple[int, bool]:
    """The id of the silent token, and whether the checkpoint has it already."""
    told, inner = read_aura(folder), tokenizer.inner
    template = read_template(folder, inner.chat_template)
    chat = extract(tokenizer, template, checkpoint.family(folder, where), told, where)
    if chat.grammar is not None or told.silent_token not in (None, SILENT):
        silent = chat.grammar.form.silent if chat.grammar else told.silent_token
        raise ModelError(
            f"{where}: is silent by '{silent}' already (aura.json or its tokenizer): it needs no"
            f" other token"
        )
    vocabulary = inner.get_vocab()
    if SILENT not in vocabulary:
        return max(vocabulary.values()) + 1, False
    token = int(vocabulary[SILENT])
    added = inner.added_tokens_decoder.get(token)
    ends = {inner.eos_token, inner.bos_token, inner.pad_token, inner.unk_token}
    if added is None or not added.special or SILENT in ends:
        what = "its end, begin, padding or unknown token" if SILENT in ends else "an ordinary word"
        raise ModelError(
            f"{where}: its tokenizer has {SILENT} (id {token}) as {what}: rename that token first"
        )
    return token, True


@dataclass(frozen=True)
class _Tables:
    """The tables of a checkpoint: their names, by file, and their rows."""

    names: Mapping[str, tuple[str, ...]]
    rows: int
    rows_after: int

    @classmethod
    def read(cls, folder: Path, token: int, words: int, where: str) -> _Tables:
        """Find the tables, and check that they fit the tokenizer's `words` and config.json."""
        found: dict[str, tuple[str, list[int]]] = {}  # by name: file and shape
        for path in sorted(folder.glob("*.safetensors")):
            try:
                with safe_open(path, "pt") as file:
                    for name in file.keys():  # noqa: SIM118 (no mapping)
                        if name.endswith((_EMBEDDING, _HEAD)):
                            found[name] = path.name, file.get_slice(name).get_shape()
            except SafetensorError as e:
                raise ModelError(f"{path}: no readable safetensors file: {e}") from e
        embeddings = [n for n in found if n.endswith(_EMBEDDING)]
        heads = [n for n in found if n.endswith(_HEAD)]
        if len(embeddings) != 1 or len(heads) > 1:
            names = ", ".join(sorted(found)) or "none"
            raise ModelError(
                f"{where}: expected one table *{_EMBEDDING} and at most one *{_HEAD}, found {names}"
            )
        rows = found[embeddings[0]][1][0]
        _fits(folder, [shape[0] for _, shape in found.values()], words, where)
        _tied(folder, found, embeddings[0], heads, where)
        names: dict[str, tuple[str, ...]] = {}
        for name, (file_name, _) in found.items():
            names[file_name] = (*names.get(file_name, ()), name)
        after = grown(torch.empty(rows, 1, device="meta"), token).shape[0]
        return cls(names, rows, after)


def _fits(folder: Path, rows: list[int], words: int, where: str) -> None:
    config = read_json(folder / "config.json")
    text = config.get("text_config")
    told = (text if isinstance(text, dict) else {}).get("vocab_size", config.get("vocab_size"))
    if len({*rows, told if told is not None else rows[0]}) > 1:
        raise ModelError(
            f"{where}: its tables have {' and '.join(map(str, rows))} rows, and config.json says"
            f" vocab_size {told}: put that right first"
        )
    if words > rows[0]:
        raise ModelError(
            f"{where}: its tokenizer has ids up to {words - 1}, but its embedding only {rows[0]}"
            " rows: tokens were added without their weights; put that right first"
        )


def _tied(
    folder: Path,
    found: Mapping[str, tuple[str, list[int]]],
    embedding: str,
    heads: list[str],
    where: str,
) -> None:
    """Check that embedding and head are one table where config.json says so."""
    import transformers

    try:
        config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
    except (AttributeError, KeyError, OSError, TypeError, ValueError) as e:
        reason = one_line(e, 200)
        raise ModelError(f"{where}: its config.json does not describe a model: {reason}") from e
    tied = getattr(config, "tie_word_embeddings", None)
    if tied is None:  # the outer model decides, and only where it does not say, the inner one
        tied = getattr(config.get_text_config(), "tie_word_embeddings", False)
    if not heads and not tied:
        raise ModelError(f"{where}: incomplete checkpoint: there is no {_HEAD}, nor is it tied")
    if not heads or not tied:
        return
    one, other = (_tensor(folder / found[name][0], name) for name in (embedding, heads[0]))
    if not torch.equal(one, other):
        raise ModelError(
            f"{where}: config.json ties the embedding and the head, but the files hold two"
            " different tables: set tie_word_embeddings to false, or leave the head out"
        )


def _tensor(path: Path, name: str) -> torch.Tensor:
    with safe_open(path, "pt") as file:
        return file.get_tensor(name)


# ---- the result ---------------------------------------------------------------------------------


def _usable(out: Path, folder: Path) -> None:
    """Raise `InputError` for a folder that cannot be the result's, before anything is copied."""
    if out.resolve() == folder.resolve():
        raise InputError(f"{out}: is the checkpoint itself; name another folder")
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file; name a folder")
    if out.is_dir() and any(out.iterdir()) and not (out / "config.json").is_file():
        raise InputError(f"{out}: is not empty, and holds no checkpoint; name another folder")


def _write(folder: Path, part: Path, token: int, had: bool, tables: _Tables) -> None:
    weights = [*folder.glob("*.safetensors"), *folder.glob(_INDEX)]
    for file in [*portable.small_files(folder), *weights]:
        if had or file.name not in tables.names:
            shutil.copyfile(file, part / file.name)
    if had:
        return
    more = 0
    for file_name, names in tables.names.items():
        with safe_open(folder / file_name, "pt") as file:
            metadata = file.metadata()
        tensors: dict[str, Any] = load_file(folder / file_name)
        for name in names:
            old = tensors[name]
            tensors[name] = grown(old, token)
            more += (tensors[name].numel() - old.numel()) * old.element_size()
        save_file(tensors, part / file_name, metadata)
    _count(part, more)
    rows = tables.rows_after if tables.rows_after != tables.rows else None
    made = portable.config(read_json(folder / "config.json"), rows=rows)
    portable.write_json(part / "config.json", made)
    portable.add_special(part, SILENT, token)
    told = read_json(folder / "aura.json") if (folder / "aura.json").is_file() else {}
    # It has the token, but was never taught when to use it.
    told |= {"trained_to_decide": False, "silent_token": SILENT}
    portable.write_json(part / "aura.json", told)


def _count(part: Path, more: int) -> None:
    """Add `more` bytes to the size that the index tells."""
    index = part / _INDEX
    if more and index.is_file():
        data = read_json(index)
        metadata = data.get("metadata")
        if isinstance(metadata, dict) and isinstance(metadata.get("total_size"), int):
            metadata["total_size"] += more
            portable.write_json(index, data)


def _check(part: Path, token: int, where: str) -> None:
    """Raise `ModelError` where the tokenizer that was written does not read the token."""
    read = open_tokenizer(part, where).encode(SILENT)
    if read != [token]:
        raise ModelError(
            f"{where}: its tokenizer reads {SILENT} as {read} after it was added as {token}: this"
            " kind of tokenizer is not supported"
        )


def _same(part: Path, out: Path) -> bool:
    names = {file.name for file in part.iterdir()}
    if names != {file.name for file in out.iterdir()}:
        return False
    equal, _, _ = filecmp.cmpfiles(part, out, names, shallow=False)
    return len(equal) == len(names)
