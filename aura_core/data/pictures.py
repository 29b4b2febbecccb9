"""Pictures of files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from aura_core.errors import InputError, one_line


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Return a picture of a file, upright, RGB uint8 (height, width, 3). Raises `InputError`."""
    try:
        with Image.open(path) as picture:
            return np.array(ImageOps.exif_transpose(picture).convert("RGB"))
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, ValueError) as e:
        raise InputError(f"{path}: cannot be read: {one_line(e)}") from e
