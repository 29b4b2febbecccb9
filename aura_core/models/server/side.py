"""The side of a served model that is here: tokenizer, chat format, frame sizes, replies."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

from aura_core.config import ModelConfig, ServerConfig
from aura_core.errors import ModelError
from aura_core.extras import how_to_install
from aura_core.models.backend import DEFAULT_SYSTEM_PROMPT, Around, ChatFormat, Tokenizer
from aura_core.models.byte_tokenizer import END, SILENT, SPECIALS, ByteTokenizer
from aura_core.models.server.replies import Replies, ReplyReader, TextReader

MAX_PIXELS = 640 * 480  # per frame, where nothing else is set
_ALIGN = 32  # pixels: what most vision encoders make one token of, or a multiple of it
# One token each, so that a yes-or-no decision is read from the whole word.
WORDS = ("yes", "Yes", "YES", "no", "No", "NO")


class Frames(Protocol):
    """The sizes in which frames are sent."""

    @property
    def pixels(self) -> object:
        """What else decides how a frame is read; a part of its uuid."""
        ...

    def frame_size(self, height: int, width: int) -> tuple[int, int]: ...

    def grids(self, height: int, width: int) -> tuple[tuple[int, int], ...]: ...


@dataclass(frozen=True)
class Side:
    """What the engine needs of a model that runs elsewhere.

    `own_system`: the chat template writes a system turn where none is given. `about`: name and kind
    of the model, in words.
    """

    tokenizer: Tokenizer
    chat: ChatFormat
    frames: Frames
    replies: Replies
    own_system: bool
    about: str


def of_checkpoint(config: ModelConfig, server: ServerConfig, where: str, url: str) -> Side:
    """The side of the checkpoint in `config.path`: its text files are read, its weights are not.

    Raises `ModelError`, which names the checkpoint as `where`.
    """
    try:
        import transformers  # noqa: F401  (for its tokenizers alone; torch is not needed)
    except ImportError as e:
        raise ModelError(
            f"{e.name} is not installed, and server.dialect vllm needs it:"
            f" {how_to_install('server')}"
        ) from e
    from aura_core.models import checkpoint, families
    from aura_core.models.chat import extract, open_tokenizer
    from aura_core.models.sidecar import read_aura, read_json, read_template

    folder = checkpoint.find(config.path, where, weights=False)
    model_type = checkpoint.family(folder, where)
    kind = families.find(model_type, where)
    if not kind.served:
        raise ModelError(
            f"{where}: a model of type {model_type} in server.dialect vllm is not supported: how a"
            " server writes its chunks was not verified; set server.dialect: openai, or leave"
            " server.url empty to run it here"
        )
    sidecar = read_aura(folder)
    tokenizer = open_tokenizer(folder, where)
    template = read_template(folder, tokenizer.inner.chat_template)
    video = server.media == "video"
    chunk = kind.prompt(model_type, sidecar) if video else kind.pictures(model_type)
    chat = extract(tokenizer, template, model_type, sidecar, where, chunk)
    if chat.grammar is not None and chat.grammar.lead:
        raise ModelError(
            f"{where}: its markers are several tokens each, and a chat server cannot begin an"
            " answer within one: run it in this process (no server.url)"
        )
    if chat.thought:
        raise ModelError(
            f"{where}: it thinks before it answers, and a chat server opens the thought anew in"
            " each request: run it in this process (no server.url)"
        )
    size = _vocabulary(read_json(folder / "config.json"), len(tokenizer.inner))
    return Side(
        tokenizer,
        chat,
        kind.open(folder, model_type, config.max_pixels or sidecar.max_pixels),
        ReplyReader(tokenizer, size, url),
        _writes_system(tokenizer, str(template), chat, chunk),
        f"{where}: {model_type}",
    )


def any_model(config: ModelConfig) -> Side:
    """The side of a model whose tokenizer is not known: conversations go to and fro as text."""
    tokenizer = ByteTokenizer(SPECIALS, WORDS)
    start, end, _, _, silent = SPECIALS
    return Side(
        tokenizer,
        ChatFormat(
            system=(f"{start}system\n", f"{end}\n"),
            user=(f"{start}user\n", f"{end}\n"),
            assistant=(f"{start}assistant\n", f"{end}\n"),
            chunk=Around(("", "", "")),
            silent_id=SILENT,
            end_id=END,
            system_prompt=DEFAULT_SYSTEM_PROMPT,
            trained_to_decide=False,
        ),
        AnySize(config.max_pixels or MAX_PIXELS),
        TextReader(tokenizer, tokenizer.vocabulary, (silent,)),
        own_system=False,
        about="a model of any kind",
    )


@dataclass(frozen=True)
class AnySize:
    """Frames are shrunk to at most `most` pixels; the aspect is kept."""

    most: int

    @property
    def pixels(self) -> object:
        """See `Frames`."""
        return self.most

    def frame_size(self, height: int, width: int) -> tuple[int, int]:
        """(height, width) to which a frame is scaled. Raises `ValueError` for one without area."""
        if min(height, width) < 1:
            raise ValueError(f"a frame of {width}x{height} pixels has no area")
        scale = min(1.0, math.sqrt(self.most / (height * width)))
        return max(1, int(height * scale)), max(1, int(width * scale))

    def grids(self, height: int, width: int) -> tuple[tuple[int, int], ...]:
        """An estimate of the visual tokens of one image."""
        return ((math.ceil(height / _ALIGN), math.ceil(width / _ALIGN)),)


def _vocabulary(model: dict[str, Any], tokens: int) -> int:
    """Number of the model's tokens, which may be more than the tokenizer's."""
    text = model.get("text_config")
    size = (text if isinstance(text, dict) else model).get("vocab_size")
    return max(size if isinstance(size, int) else 0, tokens)


def _writes_system(tokenizer: Any, template: str, chat: ChatFormat, chunk: Any) -> bool:
    """Whether the template writes a system turn where none is given (Qwen2.5-VL's does)."""
    from jinja2 import TemplateError

    from aura_core.models.chat import user

    try:
        text = tokenizer.inner.apply_chat_template(
            [user("x", chunk.content)], chat_template=template, tokenize=False
        )
    except (TemplateError, TypeError, ValueError) as e:
        raise ModelError(
            f"the chat template refuses a conversation without a system turn: {e}"
        ) from e
    return not text.startswith(chat.user[0])
