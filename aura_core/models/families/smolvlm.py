"""SmolVLM2. A chunk is a video of one or two frames, with the words of its processor around them.

A frame is one picture without tiles, as in its processor's videos.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from aura_core.models.backend import Around
from aura_core.models.families.base import ChunkPrompt, Features
from aura_core.models.families.pictures import PictureFamily, Settings, Sizes, pooled
from aura_core.models.sidecar import AuraSidecar

if TYPE_CHECKING:
    import torch

FAKE = "<fake_token_around_image>"
OPEN = f"{FAKE}<global-img>"
# Times are counted from the start of the chunk, so they are the same in each, and whole seconds.
TIME = "\nFrame from 00:00:"
WORDS = "You are provided the following series of {} frames from a 0:00:01 [H:MM:SS] video.\n"


class SmolVLM(PictureFamily):
    """The SmolVLM family (see the module)."""

    classes: ClassVar[Mapping[str, str]] = {"smolvlm": "SmolVLMForConditionalGeneration"}
    shown_by_default = 2

    @classmethod
    def prompt(cls, model_type: str, sidecar: AuraSidecar) -> ChunkPrompt:
        """See `Family`.

        The mark of a video is given as text, because some published templates leave videos out; the
        library's processor brings another template then.
        """
        frames = cls.frames(sidecar)
        first = WORDS.format(("one", "two")[frames - 1]) + TIME + OPEN
        between = (FAKE + TIME + OPEN,) * (frames - 1)
        texts = Around((first, *between, f"{FAKE}\n\n"))
        special = (FAKE, "<global-img>", "<image>")
        return ChunkPrompt(({"type": "text", "text": "<video>"},), "<video>", special, texts)

    @classmethod
    def sizes(cls, config: Settings, processor: Settings) -> Sizes:
        """See `PictureFamily`. `scale_factor` squared patches are one visual token."""
        side = config.one(512, "vision_config", "image_size")
        step = config.one(16, "vision_config", "patch_size") * config.one(4, "scale_factor")
        return (side, side), (side // step, side // step)

    def vision(self, model: Any) -> torch.nn.Module:
        """See `Family`."""
        return model.model.vision_model

    def features(self, model: Any, arrays: Mapping[str, torch.Tensor]) -> Features:
        """See `Family`."""
        return pooled(model.model.get_image_features(arrays["pixel_values"][None]))

    def text(self, model: Any) -> Any:
        """See `Family`."""
        return model.model.text_model


FAMILY = SmolVLM
