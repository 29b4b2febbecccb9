"""Versions of packages, compared with the lines of `extras.py`."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re

_LIMIT = re.compile(r"(>=|<=|==|<|>)\s*([\d.]+)")
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_MODULES = {"pyyaml": "yaml", "openai-whisper": "whisper", "piper-tts": "piper"}


def name_of(requirement: str) -> str:
    """The package of a line such as `torch>=2.6`."""
    found = _NAME.match(requirement)
    assert found is not None
    return found[0]


def module_of(requirement: str) -> str:
    """The module that the package of a line brings."""
    name = name_of(requirement)
    return _MODULES.get(name, name.replace("-", "_"))


def is_there(module: str) -> bool:
    """Whether a module can be found. It is not imported."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # a parent is missing, or a module without a spec
        return False


def version_of(name: str) -> str:
    """The version of an installed package; "" where its metadata is not found."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def allows(requirement: str, version: str) -> bool:
    """Whether a version is within the limits of a line; one that cannot be read is."""
    own = _numbers(version)
    if not own:
        return True
    compare = {
        ">=": own.__ge__,
        "<=": own.__le__,
        "==": own.__eq__,
        "<": own.__lt__,
        ">": own.__gt__,
    }
    return all(compare[how](_numbers(limit)) for how, limit in _LIMIT.findall(requirement))


def limits(requirement: str) -> str:
    """The limits of a line: `>=5.20,<5.25`."""
    return requirement[len(name_of(requirement)) :]


def _numbers(version: str) -> tuple[int, ...]:
    """The numbers of a version, without zeros at its end: 2.13.0+cpu is (2, 13)."""
    found = re.match(r"\d+(\.\d+)*", version)
    numbers = [int(n) for n in found[0].split(".")] if found else []
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
