"""A real vLLM loads what `aura train model` and `aura model add-silent` write."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")
pytest.importorskip("peft")

import checkpoints  # noqa: E402
from real_server import PROGRAM, Vllm  # noqa: E402

from aura_core.config import ModelConfig  # noqa: E402
from aura_core.models import load  # noqa: E402
from aura_core.models.add_silent import add_silent  # noqa: E402
from aura_core.training.finetune.opening import open_base  # noqa: E402
from aura_core.training.finetune.saving import save_checkpoint  # noqa: E402

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.skipif(not PROGRAM.exists(), reason="no .vllm: `make test-vllm` sets it up"),
]
QUESTION = [{"role": "user", "content": "What colour is the ball?"}]


@pytest.mark.parametrize("made_by", ["training", "add_silent"])
def test_it_predicts_what_the_model_in_this_process_predicts(made_by: str, tmp_path: Path) -> None:
    made = tmp_path / "made"
    # vLLM's attention on the CPU takes no smaller heads.
    base = checkpoints.write(tmp_path / "base", "qwen3_vl", silent=False, head_dim=32)
    if made_by == "training":
        backend, added = open_base(ModelConfig(str(base), "float32", "cpu", "sdpa"))
        save_checkpoint(backend, added, base, made, torch.float32)
    else:
        add_silent(str(base), made)
    backend = load(ModelConfig(str(made), "float32", "cpu"))
    inner = backend.tokenizer.inner
    ids = inner.apply_chat_template(QUESTION, add_generation_prompt=True, return_dict=False)
    with torch.no_grad():
        logits = backend.model(input_ids=torch.tensor([ids])).logits[0, -1]
    ours = logits.log_softmax(-1)
    body = {"model": "aura", "messages": QUESTION, "max_tokens": 1, "temperature": 0}
    body |= {"logprobs": True, "top_logprobs": 20, "return_tokens_as_token_ids": True}
    with Vllm(made, tmp_path / "vllm.log", "--max-model-len", "4096") as server:
        status, text = server.post(body)
    assert status == 200, text
    top = json.loads(text)["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
    theirs = {int(t["token"].removeprefix("token_id:")): t["logprob"] for t in top}
    assert len(theirs) == 20
    for token, value in theirs.items():
        assert value == pytest.approx(float(ours[token]), abs=1e-3)
