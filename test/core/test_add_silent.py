"""`aura model add-silent`: a checkpoint gets a silent token, and nothing else changes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

pytest.importorskip("accelerate")

import checkpoints  # noqa: E402
import family_checkpoints  # noqa: E402
import numpy as np  # noqa: E402
import tuning_rig  # noqa: E402
from checkpoints import SILENT  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402

from aura_core.config import ModelConfig  # noqa: E402
from aura_core.errors import InputError, ModelError  # noqa: E402
from aura_core.models import load  # noqa: E402
from aura_core.models.add_silent import add_silent  # noqa: E402

EMBEDDING, HEAD = "model.language_model.embed_tokens.weight", "lm_head.weight"


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return {k: v for f in sorted(folder.glob("*.safetensors")) for k, v in load_file(f).items()}


def rewritten(folder: Path, change) -> Path:
    """Write the weights of a checkpoint again in one file, changed by `change(weights)`."""
    state = change(weights(folder))
    for file in folder.glob("*.safetensors*"):
        file.unlink()
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    return folder


def configured(folder: Path, **changes) -> Path:
    path = folder / "config.json"
    data = json.loads(path.read_text())
    text = changes.pop("text", {})
    data |= changes
    data["text_config"] |= text
    path.write_text(json.dumps(data))
    return folder


def words(folder: Path) -> int:
    import transformers

    return len(transformers.PreTrainedTokenizerFast.from_pretrained(folder).get_vocab())


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """Its tables have spare rows, as the published ones have."""
    folder = checkpoints.write(tmp_path / "base", "qwen3_vl", silent=False, layers=2)
    assert words(folder) < weights(folder)[EMBEDDING].shape[0]
    return folder


@pytest.fixture
def full(base: Path) -> Path:
    """A table with a row for each word, and none to spare."""
    n = words(base)

    def cut(state):
        return state | {k: state[k][:n].clone() for k in (EMBEDDING, HEAD)}

    return configured(rewritten(base, cut), text={"vocab_size": n})


@pytest.fixture
def tied(base: Path) -> Path:
    return tuning_rig.tied(base)


def logits(folder: Path, words: int) -> torch.Tensor:
    """float32 (64, words): of all words, at each of 64 positions."""
    import transformers

    model = transformers.Qwen3VLForConditionalGeneration.from_pretrained(
        folder, dtype=torch.float32
    )
    ids = torch.randint(0, words, (1, 64), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return model(input_ids=ids).logits[0, :, : words + 1]


@pytest.mark.parametrize("kind", ["base", "full", "tied"])
def test_old_logits_stay_to_the_bit_and_silence_is_unlikely(kind, tmp_path, request):
    folder = request.getfixturevalue(kind)
    n = words(folder)
    done = add_silent(str(folder), tmp_path / "out")
    assert done.token == n and not done.had
    before, after = logits(folder, n), logits(tmp_path / "out", n)
    assert torch.equal(before[:, :n], after[:, :n])
    p = after.double().softmax(-1)[:, n]
    # by Jensen's inequality; the row is rounded to float32 (2^-24 of each product)
    assert float(p.max()) <= 1 / (n + 1) * (1 + 1e-4)
    assert float(p.min()) > 0


def test_the_rows_are_the_mean_of_all_words(full, tmp_path):
    """Of the words alone: a spare row, or one of padding, is no word."""
    n = words(full)
    add_silent(str(full), tmp_path / "out")
    for name in (EMBEDDING, HEAD):
        table = weights(tmp_path / "out")[name].double().numpy()
        assert np.abs(table[n] - table[:n].mean(0)).max() <= 2.0**-24 * np.abs(table).max()
        assert (table[n:] == table[n]).all() and len(table) > n + 1


def test_only_the_tables_change_each_tensor_in_its_own_type(base, tmp_path):
    def mixed(state):
        return {k: v if "norm" in k else v.bfloat16() for k, v in state.items()}

    rewritten(base, mixed)
    done = add_silent(str(base), tmp_path / "out")
    old, new = weights(base), weights(tmp_path / "out")
    assert old.keys() == new.keys()
    changed = {k for k in old if not torch.equal(old[k], new[k])}
    assert changed == {EMBEDDING, HEAD}
    for name in changed:
        assert new[name].dtype == torch.bfloat16 and new[name].shape == old[name].shape
        other = torch.arange(old[name].shape[0]) != done.token
        assert torch.equal(old[name][other], new[name][other])
    assert {v.dtype for v in new.values()} == {torch.bfloat16, torch.float32}


def test_a_full_table_grows_and_config_json_says_so(full, tmp_path):
    n = words(full)
    done = add_silent(str(full), tmp_path / "out")
    rows = weights(tmp_path / "out")[HEAD].shape[0]
    assert done.rows == (n, rows) and rows > n and rows % 16 == 0
    assert json.loads((tmp_path / "out" / "config.json").read_text())["text_config"][
        "vocab_size"
    ] == (rows)


def test_shards_and_their_index_stay(tmp_path):
    base = checkpoints.write(tmp_path / "base", "qwen3_vl", silent=False)
    index = json.loads((base / "model.safetensors.index.json").read_text())
    assert len(set(index["weight_map"].values())) > 1
    add_silent(str(base), tmp_path / "out")
    names = {f.name for f in base.glob("*.safetensors*")}
    assert {f.name for f in (tmp_path / "out").glob("*.safetensors*")} == names
    made = json.loads((tmp_path / "out" / "model.safetensors.index.json").read_text())
    assert made["weight_map"] == index["weight_map"]


def test_the_engine_loads_it_and_knows_that_it_is_not_trained(base, tmp_path):
    done = add_silent(str(base), tmp_path / "out")
    backend = load(ModelConfig(str(tmp_path / "out"), device="cpu"))
    assert backend.chat.silent_id == done.token and not backend.chat.trained_to_decide
    assert backend.tokenizer.encode(f"a{SILENT}b")[1] == done.token
    old = load(ModelConfig(str(base), device="cpu"))
    text = "Tell me when the red cube appears."
    assert backend.tokenizer.encode(text) == old.tokenizer.encode(text)


def test_training_begins_with_the_same_rows(base, tmp_path):
    from aura_core.training.finetune.opening import open_base

    done = add_silent(str(base), tmp_path / "out")
    backend, added = open_base(ModelConfig(str(base), "float32", "cpu", "sdpa"))
    assert added and backend.chat.silent_id == done.token
    made = weights(tmp_path / "out")
    assert torch.equal(backend.model.get_input_embeddings().weight, made[EMBEDDING])
    assert torch.equal(backend.model.get_output_embeddings().weight, made[HEAD])
    again, added = open_base(ModelConfig(str(tmp_path / "out"), "float32", "cpu", "sdpa"))
    assert not added and again.chat.silent_id == done.token


def test_twice_gives_the_same_bytes(base, tmp_path):
    add_silent(str(base), tmp_path / "one")
    done = add_silent(str(tmp_path / "one"), tmp_path / "two")
    assert done.had
    one, two = ({f.name: f.read_bytes() for f in (tmp_path / d).iterdir()} for d in ("one", "two"))
    assert one == two


def test_a_folder_with_the_result_is_left_alone_and_another_is_refused(base, tmp_path):
    add_silent(str(base), tmp_path / "out")
    stamps = {f: f.stat().st_mtime_ns for f in (tmp_path / "out").iterdir()}
    assert add_silent(str(base), tmp_path / "out").there
    assert {f: f.stat().st_mtime_ns for f in (tmp_path / "out").iterdir()} == stamps
    rewritten(tmp_path / "out", lambda state: state | {HEAD: state[HEAD] + 1})
    with pytest.raises(InputError, match="holds something else than"):
        add_silent(str(base), tmp_path / "out")
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("name", sorted(family_checkpoints.KINDS))
def test_every_family_gets_it(name, tmp_path):
    kind = family_checkpoints.KINDS[name]
    if SILENT in kind.specials:
        pytest.skip("its words have it")
    base = family_checkpoints.write(tmp_path / "base", name, silent=False)
    done = add_silent(str(base), tmp_path / "out")
    backend = load(ModelConfig(str(tmp_path / "out"), device="cpu"))
    assert backend.chat.silent_id == done.token
    assert load(ModelConfig(str(base), device="cpu")).chat.silent_id != done.token


# ---- what is refused ----------------------------------------------------------------------------


def edit(path: Path, change) -> None:
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def listed(folder: Path, special: bool) -> None:
    token = {"id": words(folder), "content": SILENT, "special": special}
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    edit(folder / "tokenizer.json", lambda d: d["added_tokens"].append(token | flags))


def ordinary(folder: Path) -> None:
    listed(folder, special=False)


def as_end(folder: Path) -> None:
    listed(folder, special=True)
    edit(folder / "tokenizer_config.json", lambda d: d.update(eos_token=SILENT))


def no_rows(folder: Path) -> None:
    configured(
        rewritten(folder, lambda s: s | {k: s[k][:300].clone() for k in (EMBEDDING, HEAD)}),
        text={"vocab_size": 300},
    )


def half_tied(folder: Path) -> None:
    configured(folder, tie_word_embeddings=True)


def quantized(folder: Path) -> None:
    configured(folder, quantization_config={"quant_method": "awq", "bits": 4})


def other_token(folder: Path) -> None:
    (folder / "aura.json").write_text(json.dumps({"silent_token": "<|vision_pad|>"}))


def two_sizes(folder: Path) -> None:
    rewritten(folder, lambda s: s | {HEAD: s[HEAD][:-1].clone()})


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (ordinary, r"its tokenizer has <\|silent\|> \(id \d+\) as an ordinary word: rename"),
        (as_end, r"has <\|silent\|> \(id \d+\) as its end, begin, padding or unknown token"),
        (no_rows, r"ids up to \d+, but its embedding only 300 rows: tokens were added without"),
        (half_tied, r"ties the embedding and the head, but the files hold two different tables"),
        (quantized, r"its weights are quantized \(awq\), .* then quantize"),
        (other_token, r"is silent by '<\|vision_pad\|>' already .*it needs no other token"),
        (two_sizes, r"its tables have \d+ and \d+ rows, and config.json says vocab_size \d+"),
    ],
)
def test_a_checkpoint_that_cannot_take_it_is_told_in_one_line(base, tmp_path, spoil, said):
    spoil(base)
    with pytest.raises(ModelError, match=said) as told:
        add_silent(str(base), tmp_path / "out")
    assert "\n" not in str(told.value) and str(base) in str(told.value)
    assert not (tmp_path / "out").exists() and not list(tmp_path.glob("*.part"))


def test_a_place_that_cannot_be_written_is_told_in_one_line(base, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file; name a folder"):
        add_silent(str(base), tmp_path / "file")
    with pytest.raises(InputError, match="cannot be written: Not a directory; name another"):
        add_silent(str(base), tmp_path / "file" / "out")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("")
    with pytest.raises(InputError, match="is not empty, and holds no checkpoint; name another"):
        add_silent(str(base), tmp_path / "mine")
    with pytest.raises(InputError, match="is the checkpoint itself; name another folder"):
        add_silent(str(base), base)


def test_a_folder_without_permission_is_told_in_one_line(base, tmp_path, monkeypatch):
    def refused(self, *args, **kwargs):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "mkdir", refused)  # root may write everywhere
    with pytest.raises(InputError, match="out: cannot be written: Permission denied; name another"):
        add_silent(str(base), tmp_path / "out")


def test_the_command_says_what_it_did(base, tmp_path):
    from typer.testing import CliRunner

    from aura_core.cli import app

    told = ["model", "add-silent", "--model", str(base), "--out", str(tmp_path / "out")]
    first, second = (CliRunner().invoke(app, told) for _ in range(2))
    assert first.exit_code == second.exit_code == 0
    assert f"{tmp_path / 'out'}: {SILENT} is token {words(base)} (in a spare row of" in first.stdout
    assert "the folder held this already" in second.stdout
