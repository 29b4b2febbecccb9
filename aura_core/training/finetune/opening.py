"""Opens a checkpoint for training, with the module that runs it over packed rows.

`Opened.backend` is the engine's backend around the same model object that is trained. So it can be
evaluated free-running at any step.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import Any

import torch

from aura_core.config import ModelConfig
from aura_core.errors import ConfigError, ModelError
from aura_core.extras import how_to_install
from aura_core.models import checkpoint, families, silent_token
from aura_core.models.chat import extract
from aura_core.models.families import Family
from aura_core.models.families.base import Block
from aura_core.models.local import LocalBackend
from aura_core.models.sidecar import read_aura, read_template
from aura_core.stream.prompt import PromptCodec
from aura_core.training.finetune.packing import Row, attention_of
from aura_core.training.finetune.settings import LoraSettings


class StreamModel(torch.nn.Module):
    """Runs a model over rows: the family's own forward, as `KVSession` uses it, without a cache.

    Args:
        family: the model's family.
        model: the model for conditional generation, or a peft model around it.
        see: whether gradients reach the vision encoder.
    """

    def __init__(self, family: Family, model: Any, see: bool) -> None:
        super().__init__()
        self.family, self.model, self.see = family, model, see

    @property
    def inner(self) -> Any:
        """The model for conditional generation, with the layers that peft has inserted."""
        return self.model.get_base_model() if hasattr(self.model, "get_base_model") else self.model

    def tie_weights(self) -> None:
        """Make embedding and head one weight again where they are; FSDP separates them."""
        self.inner.tie_weights()

    def forward(
        self,
        ids: torch.Tensor,
        positions: torch.Tensor,
        visual: torch.Tensor,
        pixels: dict[str, torch.Tensor],
        at: torch.Tensor,
        lengths: tuple[int, ...],
    ) -> torch.Tensor:
        """Return float32 logits (N, vocabulary) at a row's supervised positions.

        The arguments are fields of `Row`.
        """
        family, inner = self.family, self.inner
        features = None
        if pixels:
            with contextlib.nullcontext() if self.see else torch.no_grad():
                features = family.features(inner, pixels)
        attention = attention_of(
            family.text(inner).config._attn_implementation, lengths, ids.device
        )
        block = Block(ids[None], positions[..., None, :], visual[None], features)
        hidden = family.hidden(inner, block, **attention)
        return family.logits(inner, hidden[0, at]).float()


@dataclass(frozen=True)
class Opened:
    """A checkpoint that is ready for training. `added`: its silent token is new."""

    backend: LocalBackend
    codec: PromptCodec
    module: StreamModel
    added: bool


def arguments(row: Row) -> dict[str, Any]:
    """Return the arguments of `StreamModel.forward` for a row."""
    return {k: getattr(row, k) for k in ("ids", "positions", "visual", "pixels", "at", "lengths")}


def open_base(config: ModelConfig) -> tuple[LocalBackend, bool]:
    """Return the checkpoint with a silent token, and whether that token is new.

    Raises `ModelError` and `ConfigError`.
    """
    # Training has the machine to itself and large batches: torch's own number of threads stays.
    config = replace(config, threads=config.threads or torch.get_num_threads())
    if config.attention == "eager":
        raise ConfigError(
            "attention must be auto, sdpa or flash_attention_2 for training, not 'eager'"
        )
    folder = checkpoint.find(config.path, config.path)
    model_type = checkpoint.family(folder, config.path)
    trained = [t for t in families.MODULES if t in families.find(t, config.path).trained]
    if model_type not in trained:
        raise ModelError(
            f"{config.path}: training a model of type {model_type} is not supported; supported are"
            f" {', '.join(trained)}"
        )
    backend = LocalBackend.load(config)
    chat = backend.chat
    if chat.silent_id != chat.end_id:
        return backend, False
    silent_token.add(backend.tokenizer.inner, backend.model)
    template = read_template(folder, backend.tokenizer.inner.chat_template)
    backend.chat = extract(backend.tokenizer, template, model_type, read_aura(folder), backend.name)
    return backend, True


def open_for_training(
    config: ModelConfig, lora: LoraSettings, vision: str, checkpointing: bool, seed: int
) -> Opened:
    """Open `config`'s checkpoint, and choose which weights are trained.

    That is all weights, or LoRA; with the vision encoder, or without it. Raises `ModelError` and
    `ConfigError`.
    """
    backend, added = open_base(config)
    model = backend.model
    see = vision == "tuned"
    torch.manual_seed(seed)  # LoRA's initial weights are random
    if lora.rank:
        fresh = added or not backend.chat.trained_to_decide
        token = backend.chat.silent_id if fresh else None
        model = _with_lora(model, backend.family, lora, see, token)
    else:
        model.requires_grad_(True)
        backend.family.vision(model).requires_grad_(see)
    if checkpointing:
        _checkpoint_activations(backend.model)
    return Opened(
        backend,
        PromptCodec(backend.tokenizer, backend.chat),
        StreamModel(backend.family, model, see),
        added,
    )


def _checkpoint_activations(model: Any) -> None:
    """Recompute activations in the backward pass instead of keeping them in memory."""
    options = {"use_reentrant": False}
    if hasattr(model, "activation_checkpointing_enable"):  # the name from transformers 5.23 on
        model.activation_checkpointing_enable(options)
    else:
        model.gradient_checkpointing_enable(options)


def _with_lora(model: Any, family: Family, lora: LoraSettings, see: bool, token: int | None) -> Any:
    """Return `model` with LoRA in its linear layers.

    The embedding rows of `token` (which is new, or was never trained) are trained as well.
    """
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError as e:
        raise ModelError(
            f"peft is not installed, and LoRA needs it: {how_to_install('train')}"
        ) from e
    rows = None
    if token is not None:
        tied = model.get_input_embeddings().weight is model.get_output_embeddings().weight
        rows = {"embed_tokens": [token]} if tied else {"embed_tokens": [token], "lm_head": [token]}
    layers = f"{family.text_layers}|{family.vision_layers}" if see else family.text_layers
    return get_peft_model(
        model,
        LoraConfig(
            r=lora.rank,
            lora_alpha=lora.alpha,
            lora_dropout=lora.dropout,
            target_modules=layers,
            trainable_token_indices=rows,
        ),
    )
