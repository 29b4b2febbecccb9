"""`pip install .`: the Python packages, plus the messages, which CMake generates and compiles.

colcon ignores this file (package.xml says ament_cmake), and `make setup` calls CMake itself.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.dist import Distribution

HERE = Path(__file__).resolve().parent


class BuildWithMessages(build_py):
    """CMake installs into a stage; its Python packages go to the wheel's root, the rest to the
    prefix."""

    def run(self) -> None:
        super().run()
        temp = Path(self.get_finalized_command("build").build_temp).resolve()
        stage = temp / "stage"
        shutil.rmtree(stage, ignore_errors=True)
        configure = [
            "cmake",
            "-S",
            HERE,
            "-B",
            temp / "cmake",
            "-G",
            "Ninja",
            "-DBUILD_TESTING=OFF",
        ]
        configure += ["-DCMAKE_BUILD_TYPE=Release", f"-DCMAKE_INSTALL_PREFIX={stage}"]
        # A wheel may serve another environment than this one: programs ask the PATH for their
        # interpreter.
        configure += [
            f"-DPython3_EXECUTABLE={sys.executable}",
            "-DAURA_PYTHON=/usr/bin/env python3",
        ]
        subprocess.run(configure, check=True)
        subprocess.run(["cmake", "--build", temp / "cmake", "--target", "install"], check=True)
        (packages,) = stage.glob("lib/python*/site-packages")
        shutil.copytree(
            packages,
            self.build_lib,
            dirs_exist_ok=True,
            ignore=shutil.ignore_patterns("*.egg-info", "*.dist-info", "__pycache__"),
        )
        self.distribution.data_files = data_files(stage, skip=(packages, stage / "bin"))


class PlatformDistribution(Distribution):
    """The messages are compiled: the wheel is for one platform and one Python."""

    def has_ext_modules(self) -> bool:
        return True


def data_files(stage: Path, skip: tuple[Path, ...]) -> list[tuple[str, list[str]]]:
    """Everything under `stage` outside `skip`, as (folder under the prefix, files) pairs."""
    found: dict[str, list[str]] = {}
    for path in sorted(stage.rglob("*")):
        if path.is_file() and not any(path.is_relative_to(s) for s in skip):
            folder = str(path.parent.relative_to(stage))
            found.setdefault(folder, []).append(os.path.relpath(path, HERE))
    return sorted(found.items())


setup(cmdclass={"build_py": BuildWithMessages}, distclass=PlatformDistribution)
