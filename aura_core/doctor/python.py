"""Python: its version, the packages that every part needs, cores, and compiled files."""

from __future__ import annotations

import importlib.util
import os
import shlex
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from aura_core.cores import cores
from aura_core.doctor.findings import FAULT, MISSING, OK, WARN, Asked, Check, Finding
from aura_core.doctor.versions import allows, is_there, limits, version_of
from aura_core.extras import BASE, EXTRAS, externally_managed, how_to_install

OLDEST = (3, 11)
# Packages whose files are looked at: where one of them has no bytecode, most have none.
COMPILED = ("numpy", "yaml", "transformers", "rclpy")


def version(_: Asked) -> Iterator[Finding]:
    """The version, and whose Python it is."""
    number = ".".join(map(str, sys.version_info[:3]))
    if sys.prefix != sys.base_prefix:
        where = f"in the virtual environment {sys.prefix}"
    else:
        where = f"{sys.executable}, managed by the system" if externally_managed() else sys.prefix
    if sys.version_info[:2] < OLDEST:
        least = ".".join(map(str, OLDEST))
        fix = f"install Python {least} or newer, and make the environment with it"
        yield Finding("python", FAULT, f"{number} is too old, {where}", fix)
    else:
        yield Finding("python", OK, f"{number}, {where}")


def packages(_: Asked) -> Iterator[Finding]:
    """The packages that every part needs."""
    gone = [module for module in BASE if not is_there(module)]
    if gone:
        found = f"not installed: {', '.join(gone)}"
        yield Finding("base packages", FAULT, found, how_to_install("base"))
    else:
        yield Finding("base packages", OK, f"all {len(BASE)} are installed")


def console(_: Asked) -> Iterator[Finding]:
    """What `aura console` and console_node serve their page with."""
    (requirement,) = EXTRAS["console"]
    version, fix = version_of("aiohttp"), how_to_install("console")
    if not is_there("aiohttp"):
        yield Finding("aiohttp", MISSING, "not installed: there is no console", fix)
    elif not allows(requirement, version):
        yield Finding("aiohttp", FAULT, f"{version}, but {limits(requirement)} is needed", fix)
    else:
        yield Finding("aiohttp", OK, version)


def processors(_: Asked) -> Iterator[Finding]:
    """The cores that this process may use."""
    n = cores()
    if n < 2:
        fix = "allow at least two cores (docker run --cpus 2, taskset)"
        yield Finding("CPU cores", WARN, "1: the model and the nodes wait for each other", fix)
    else:
        yield Finding("CPU cores", OK, str(n))


def bytecode(_: Asked) -> Iterator[Finding]:
    """Whether Python finds its modules compiled, or compiles them at each start."""
    bare = [name for name in COMPILED if (source := _source(name)) and not _compiled(source)]
    if not bare:
        return (yield Finding("bytecode", OK, "packages are compiled"))
    found = f"not compiled: {', '.join(bare)}; each start of a node compiles them anew"
    packages = shlex.quote(sysconfig.get_path("purelib"))
    fix = f"{shlex.quote(sys.executable)} -m compileall -q {packages}"
    if os.environ.get("PYTHONDONTWRITEBYTECODE"):
        fix += ", or unset PYTHONDONTWRITEBYTECODE"
    yield Finding("bytecode", WARN, found, fix)


def _source(name: str) -> Path | None:
    """The file of a package; None where it is not installed, or has none."""
    spec = importlib.util.find_spec(name) if is_there(name) else None
    return Path(spec.origin) if spec is not None and spec.origin else None


def _compiled(source: Path) -> bool:
    return source.suffix != ".py" or Path(importlib.util.cache_from_source(str(source))).exists()


CHECKS = (
    Check("python", version),
    Check("base packages", packages),
    Check("aiohttp", console),
    Check("CPU cores", processors),
    Check("bytecode", bytecode),
)
