"""A chat template that leaves the vision markers to the server's processor.

Since transformers 5.10 the processor of Qwen3-VL keeps the markers that the template writes around
a video, and writes its own within: `<|vision_start|><0.2 seconds><|vision_start|>`. The weights
were trained without the outer pair. A template that writes the video's place alone gives the prompt
that they were trained with.
"""

from __future__ import annotations

from jinja2 import TemplateError

from aura_core.errors import ModelError, one_line
from aura_core.models import checkpoint, families
from aura_core.models.chat import open_tokenizer, user
from aura_core.models.sidecar import read_aura, read_template


def bare_template(path: str) -> str:
    """The chat template of a checkpoint (a folder or a hub id), with bare places for videos.

    Raises `ModelError` where there is no template, or it writes videos in another way.
    """
    where = path
    folder = checkpoint.find(path, where, weights=False)
    model_type = checkpoint.family(folder, where)
    prompt = families.find(model_type, where).prompt(model_type, read_aura(folder))
    tokenizer = open_tokenizer(folder, where)
    template = read_template(folder, tokenizer.inner.chat_template) or ""
    place = prompt.written
    for special in prompt.special:
        place = place.replace(special, "")
    bare = template.replace(prompt.written, place)

    def written(source: str) -> str:
        message = user("x", prompt.content)
        return tokenizer.inner.apply_chat_template([message], chat_template=source, tokenize=False)

    try:
        right = written(template).replace(prompt.written, place) == written(bare)
    except (TemplateError, TypeError, ValueError) as e:
        raise ModelError(f"{where}: its chat template takes no videos: {one_line(e, 200)}") from e
    if bare == template or not right:
        raise ModelError(f"{where}: its chat template does not write {prompt.written!r}")
    return bare
