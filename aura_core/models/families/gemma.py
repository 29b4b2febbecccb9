"""What the Gemma families share: sliding-window layers, and pictures that see all of themselves.

Most layers see only the newest tokens (the sliding window). Their keys are kept at full length all
the same, and a mask hides the older ones. So a rollback is exact however far it goes; the cache of
transformers drops the keys and could not bring them back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from aura_core.models.families.base import Block
from aura_core.models.families.pictures import PictureFamily

if TYPE_CHECKING:
    import torch


class Gemma(PictureFamily):
    """Common parts of the Gemma families (see the module)."""

    evicts = False  # sliding and full layers rotate keys differently
    flash = False
    #: whether the tokens of a picture attend to the later ones of it in full-attention layers too
    whole_pictures_everywhere: ClassVar[bool] = False

    def bidirectional(self, model: Any) -> bool:
        """Whether the tokens of a picture attend to each other in both directions."""
        return True

    def per_layer(self, model: Any, block: Block) -> Mapping[str, Any]:
        """Inputs of each layer beside the embeddings, in families that have them."""
        return {}

    def beside(self, model: Any, block: Block, cache: Any) -> dict[str, Any]:
        """See `Family`. Without pictures, the library's own masks are right for a full cache."""
        further = dict(self.per_layer(model, block))
        if block.features is not None and self.bidirectional(model):
            config = self.text(model).config
            past = cache.get_seq_length() if cache is not None else 0
            causal, whole, sliding = masks(block.visual[0], past, config.sliding_window)
            full = whole if self.whole_pictures_everywhere else causal
            both = {"full_attention": full, "sliding_attention": sliding}
            if config._attn_implementation == "eager":
                both = {k: added(mask, model.dtype) for k, mask in both.items()}
            further["attention_mask"] = both
        return further

    def logits(self, model: Any, hidden: torch.Tensor) -> torch.Tensor:
        """See `Family`. Logits are bounded where the checkpoint says so."""
        logits = model.lm_head(hidden)
        bound = model.config.get_text_config().final_logit_softcapping
        return logits if bound is None else (logits / bound).tanh() * bound


def masks(
    visual: torch.Tensor, past: int, window: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Which of the cached and new tokens each new token sees.

    Args:
        visual: bool (L,), true at visual tokens of the new ones.
        past: number of tokens in the cache.
        window: of the sliding layers, in tokens.

    Returns:
        Three masks, bool (1, 1, L, past + L), true where a token is seen: the earlier tokens and
        itself; also the later ones of its run of visual tokens; the same, but nothing that is
        `window` or more tokens back.
    """
    import torch

    key = torch.arange(past + len(visual), device=visual.device)
    query = key[past:, None]
    causal = key <= query
    starts = visual & ~torch.nn.functional.pad(visual, (1, 0))[:-1]
    run = torch.where(visual, starts.cumsum(0), 0)
    whole = causal.clone()
    whole[:, past:] |= (run[:, None] == run) & visual
    sliding = whole & (query - key < window)
    return causal[None, None], whole[None, None], sliding[None, None]


def added(mask: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """The mask as numbers that are added to attention scores."""
    import torch

    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill(~mask, -torch.inf)
