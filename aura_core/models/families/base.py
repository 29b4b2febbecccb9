"""A model family: everything in which one vision-language model differs from another.

The engine, the cache and both trainers are the same for every family; they call `Family`. This file
and the families' files import no torch, because prompts and frame sizes are also needed where torch
is not installed (a served model). Methods that compute get tensors as arguments.
"""

from __future__ import annotations

import functools
import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from aura_core.errors import InputError, ModelError
from aura_core.models.backend import ChunkFormat
from aura_core.models.pixels import resize
from aura_core.models.positions import PositionTrack
from aura_core.models.sidecar import AuraSidecar
from aura_core.types import Chunk

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class ChunkPrompt:
    """How a chunk gets into the chat template, and what stands for it in the prompt.

    Attributes:
        content: parts of a user message that show a chunk to the template.
        written: what the template writes for them; `format` replaces it.
        special: tokens that must be single entries of the vocabulary.
        format: the text around a chunk's visual tokens.
    """

    content: tuple[Mapping[str, str], ...]
    written: str
    special: tuple[str, ...]
    format: ChunkFormat


@dataclass(frozen=True, eq=False)
class Pixels:
    """One chunk as input of the vision encoder.

    Attributes:
        arrays: the encoder's inputs by name. Those of several chunks are joined along axis 0.
        grids: (rows, columns) of visual tokens of each visual piece, in the order of the prompt.
    """

    arrays: dict[str, NDArray[Any]]
    grids: tuple[tuple[int, int], ...]


class Features(NamedTuple):
    """Output of the vision encoder for V visual tokens.

    `merged` (V, width) replaces the embeddings of the tokens. `deepstack` are tensors (V, width),
    one for each of the first layers of the language model, in families that have it.
    """

    merged: torch.Tensor
    deepstack: Sequence[torch.Tensor] = ()


@dataclass(frozen=True, eq=False)
class Block:
    """Tokens of one call of the language model.

    B sequences of L tokens; V of all tokens are visual.

    Attributes:
        ids: int64 (B, L). At visual tokens the id has no meaning, but is in the vocabulary.
        positions: int64 (*axes, B, L), see `PositionTrack.axes`.
        visual: bool (B, L), true at visual tokens.
        features: of the V visual tokens, in order; None where V is 0.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    visual: torch.Tensor
    features: Features | None


class Family(ABC):
    """One family, as one checkpoint uses it.

    It holds no weights and no state of a stream, and can be pickled.

    Args:
        model_type: from the checkpoint's config.json.
        pixels: the sizes that the checkpoint wants its frames in; a frozen dataclass with
            `max_pixels`, the most pixels of one frame.
    """

    #: the class of transformers that holds the weights, by model_type
    classes: ClassVar[Mapping[str, str]]
    #: whether `evict` works: the keys carry a rotation that can be changed
    evicts: ClassVar[bool] = False
    #: whether FlashAttention computes the same: it takes no mask but a causal or sliding one
    flash: ClassVar[bool] = True
    #: whether a chat server (`server.url`) can be asked for it: see `server/conversation.py`
    served: ClassVar[bool] = False
    #: the model_types that can be trained; they need the two below and `vision_work`
    trained: ClassVar[frozenset[str]] = frozenset()
    #: regular expressions for the linear layers that LoRA adapts: language model, vision encoder
    text_layers: ClassVar[str]
    vision_layers: ClassVar[str]

    def __init__(self, model_type: str, pixels: Any) -> None:
        self.model_type, self.pixels = model_type, pixels

    # ---- the prompt ---------------------------------------------------------------------------

    @classmethod
    @abstractmethod
    def prompt(cls, model_type: str, sidecar: AuraSidecar) -> ChunkPrompt:
        """How a chunk stands in the prompt."""

    @classmethod
    def pictures(cls, model_type: str) -> ChunkPrompt:
        """How a chunk stands in the prompt where its two frames go as two images, to a server.

        Raises `ModelError` where the family has no such form.
        """
        raise ModelError(f"{model_type}: set server.media to video")

    # ---- the frames ---------------------------------------------------------------------------

    @classmethod
    @abstractmethod
    def open(cls, folder: Path, model_type: str, max_pixels: int | None) -> Self:
        """The family as the checkpoint in `folder` uses it, read from its JSON files.

        `max_pixels` is the most pixels of one frame; None: the checkpoint's own bound. Raises
        `ModelError`.
        """

    @abstractmethod
    def frame_size(self, height: int, width: int) -> tuple[int, int]:
        """(height, width) in pixels to which a frame is scaled.

        Raises `ValueError` for a frame that cannot be used.
        """

    @abstractmethod
    def grids(self, height: int, width: int) -> tuple[tuple[int, int], ...]:
        """(rows, columns) of visual tokens of each visual piece of a chunk.

        `height` and `width` are those of its scaled frames, in pixels.
        """

    @abstractmethod
    def arrays(self, frames: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        """The vision encoder's inputs (see `Pixels`) for a chunk's scaled frames.

        `frames` are uint8 (frames, height, width, 3).
        """

    @property
    def shown(self) -> int:
        """How many of a chunk's newest frames the model gets to see; 0: all."""
        return 0

    def look(self, chunk: Chunk) -> Pixels:
        """The chunk as input of the vision encoder. Its frames are scaled to the newest one's size.

        Raises `InputError` for frames that cannot be used.
        """
        shown = chunk.frames[-self.shown :]
        image = shown[-1].image
        try:
            height, width = self.frame_size(image.shape[0], image.shape[1])
        except ValueError as e:
            raise InputError(f"chunk {chunk.index}: {e}") from e
        frames = np.stack([resize(f.image, height, width) for f in shown])
        return Pixels(self.arrays(frames), self.grids(height, width))

    # ---- the model ----------------------------------------------------------------------------
    # `model` is of the class that `classes` names, in inference or in training.

    @abstractmethod
    def vision(self, model: Any) -> torch.nn.Module:
        """The vision encoder of the model."""

    @abstractmethod
    def features(self, model: Any, arrays: Mapping[str, torch.Tensor]) -> Features:
        """Run the vision encoder on `Pixels.arrays` of one or several chunks.

        The arrays are tensors on the encoder's device.
        """

    @abstractmethod
    def positions(self) -> PositionTrack:
        """An empty track of positions for one session."""

    def text(self, model: Any) -> Any:
        """The language model without its head."""
        return model.model.language_model

    def cache(self, model: Any) -> Any:
        """An empty key-value cache for one session.

        Its `crop(-n)` must forget the last n tokens exactly.
        """
        from aura_core.models.kv_cache import roomy_cache

        return roomy_cache()

    def hidden(self, model: Any, block: Block, cache: Any = None, **attention: Any) -> torch.Tensor:
        """One call of the language model; hidden states (B, L, width).

        Args:
            model: the model.
            block: the tokens.
            cache: the cache that the block is appended to; None: the block stands alone, as in
                training.
            attention: arguments of transformers that separate packed examples.
        """
        text = self.text(model)
        embeds = self.embed(model, block)
        if block.features is not None:
            merged = block.features.merged.to(embeds.device, embeds.dtype)
            embeds = embeds.masked_scatter(block.visual[..., None], merged)
        attention |= self.beside(model, block, cache)
        if cache is None:
            attention |= {"use_cache": False}
        else:
            attention |= {_cache_argument(type(text)): cache, "use_cache": True}
        out = text(inputs_embeds=embeds, position_ids=block.positions, **attention)
        return out.last_hidden_state

    def embed(self, model: Any, block: Block) -> torch.Tensor:
        """Embeddings (B, L, width) of the tokens; what it gives for visual tokens is replaced."""
        return self.text(model).embed_tokens(block.ids)

    def beside(self, model: Any, block: Block, cache: Any) -> dict[str, Any]:
        """Further arguments of the language model for a block that is appended to `cache`."""
        return {}

    def logits(self, model: Any, hidden: torch.Tensor) -> torch.Tensor:
        """Logits (..., vocabulary) of hidden states (..., width)."""
        return model.lm_head(hidden)

    def evict(self, model: Any, cache: Any, first: int, end: int, shift: int) -> None:
        """Cut tokens `first`..`end` out of the cache, and re-rotate the later keys.

        Their positions drop by `shift`. Called only where `evicts` is True. Where a position has
        several axes, they drop by the same amount, so one rotation works for every frequency.
        """
        from aura_core.models.kv_cache import cut_and_re_rotate

        cut_and_re_rotate(cache, self.text(model).rotary_emb.inv_freq, first, end, shift)

    # ---- what training reports ----------------------------------------------------------------

    def vision_work(
        self, model: Any, arrays: Mapping[str, torch.Tensor]
    ) -> tuple[torch.nn.Module, int, float]:
        """What is needed to count the operations of the vision encoder.

        Returns its blocks, the number of patches that go through them, and the operations of its
        attention in one forward pass. Called only for model_types in `trained`.
        """
        raise NotImplementedError(f"{type(self).__name__} is not trained")


@functools.cache
def _cache_argument(text: type) -> str:
    """The name of the cache argument in this version of transformers.

    It is `cache` from 5.24 on, `past_key_values` before.
    """
    known = inspect.signature(text.forward).parameters
    return "cache" if "cache" in known else "past_key_values"
