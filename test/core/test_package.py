"""The package as a whole: cost of an import, boundaries, one version, and what is installed."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

import aura_core
from aura_core.types import Kind

ROOT = Path(__file__).resolve().parents[2]
INTERFACES = sorted(
    str(p.relative_to(ROOT)) for kind in ("msg", "srv") for p in (ROOT / kind).iterdir()
)


@pytest.fixture(scope="module")
def project(repository: Path) -> dict:
    """The content of pyproject.toml."""
    return tomllib.loads((repository / "pyproject.toml").read_text())


def constants(repository: Path, message: str) -> dict[str, str]:
    """The string constants of one message file, by name."""
    text = (repository / "msg" / f"{message}.msg").read_text()
    return dict(re.findall(r"^string ([A-Z_]+)=(\S+)", text, flags=re.MULTILINE))


def test_importing_the_engine_needs_numpy_alone(repository: Path) -> None:
    code = (
        "import sys, sysconfig\nfrom aura_core import *\n"
        "roots = {name.partition('.')[0] for name in sys.modules} - set(sys.stdlib_module_names)\n"
        "installed = sysconfig.get_path('platlib')\ndef"
        " where(name): return getattr(sys.modules.get(name), '__file__', None) or ''\nstartup ="
        " {'ros_wheels_bootstrapper', 'sitecustomize', 'usercustomize',"
        " '_distutils_hack'}\nprint(sorted(n for n in roots - startup if"
        " where(n).startswith(installed) or n == 'aura_core'))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "['aura_core', 'numpy']"


ROS = ("rclpy", "aura_ros", "sensor_msgs", "std_msgs", "diagnostic_msgs")
MODEL = ("torch", "transformers")
# folder, and what nothing in it imports, neither at its top nor within a function
BOUNDARIES = [
    ("aura_core", ROS),
    ("aura_core/stream", MODEL),
    ("aura_core/memory", MODEL),
    ("aura_core/live", MODEL),
    ("aura_core/models", ("aura_core.stream",)),
]
PLANNED = {"aura_core/memory"}  # the rule is there before the folder


def imports_of(file: Path) -> set[str]:
    """Everything that a file imports, as dotted names."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def crossings(folder: Path, forbidden: tuple[str, ...]) -> list[str]:
    """The imports under `folder` that are one of `forbidden`, or within one of them."""
    return [
        f"{file.relative_to(folder)}: {name}"
        for file in sorted(folder.rglob("*.py"))
        for name in sorted(imports_of(file))
        if any(f"{name}.".startswith(f"{root}.") for root in forbidden)
    ]


@pytest.mark.parametrize(("folder", "forbidden"), BOUNDARIES)
def test_boundaries(repository: Path, folder: str, forbidden: tuple[str, ...]) -> None:
    assert (repository / folder).is_dir() or folder in PLANNED
    assert crossings(repository / folder, forbidden) == []


def test_a_crossed_boundary_is_seen(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(
        "import torchvision\nfrom aura_core import streams\n"
        "def f():\n    from aura_core import stream\n    import torch.nn as nn\n"
    )
    (tmp_path / "b.py").write_text("from aura_core.stream.prompt import PromptCodec\n")
    assert crossings(tmp_path, ("torch", "aura_core.stream")) == [
        "a.py: aura_core.stream",
        "a.py: torch.nn",
        "b.py: aura_core.stream.prompt.PromptCodec",
    ]


def test_one_version_everywhere(repository: Path, project: dict) -> None:
    manifest = ElementTree.parse(repository / "package.xml").getroot()
    assert manifest.findtext("version") == aura_core.__version__
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "aura_core.__version__"}
    newest = re.search(r"^## (\S+)", (repository / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert newest and newest[1] in (aura_core.__version__, "Unreleased")


def test_the_manifest_builds_messages_with_cmake(repository: Path) -> None:
    manifest = ElementTree.parse(repository / "package.xml").getroot()
    assert manifest.get("format") == "3"
    assert manifest.findtext("export/build_type") == "ament_cmake"
    assert manifest.findtext("member_of_group") == "rosidl_interface_packages"
    assert manifest.findtext("license") == "Apache-2.0"


def test_every_interface_file_is_generated(repository: Path) -> None:
    cmake = (repository / "CMakeLists.txt").read_text()
    assert sorted(re.findall(r'"((?:msg|srv)/\w+\.(?:msg|srv))"', cmake)) == INTERFACES


@pytest.mark.parametrize("interface", INTERFACES)
def test_every_field_of_an_interface_says_what_it_is(repository: Path, interface: str) -> None:
    lines = (repository / interface).read_text().splitlines()
    assert lines[0].startswith("# ")
    declarations = [line for line in lines if line.strip() and not line.startswith(("#", "---"))]
    assert [line for line in declarations if not re.search(r"\s# \S", line)] == []


def test_message_kinds_are_the_engines_kinds(repository: Path) -> None:
    kinds = {f"KIND_{kind.name}": kind.value for kind in Kind}
    assert constants(repository, "Response") == kinds
    assert constants(repository, "Alert") == {
        k: v for k, v in kinds.items() if k != "KIND_REAL_TIME"
    }


def test_heartbeat_states(repository: Path) -> None:
    states = [
        "unconfigured",
        "inactive",
        "waiting",
        "no_frames",
        "error",
        "silent",
        "speaking",
    ]
    assert constants(repository, "Heartbeat") == {
        f"STATE_{state.upper()}": state for state in states
    }
    text = (repository / "msg" / "Heartbeat.msg").read_text()
    codes = re.findall(r"^uint8 CODE_([A-Z_]+)=(\d+)", text, flags=re.MULTILINE)
    assert {name.lower() for name, _ in codes} == set(states)
    assert len({number for _, number in codes}) == len(states)


def test_build_requirements_stay_with_the_ros_extra(project: dict) -> None:
    """`pip install .` must build with the ROS release that the extra installs."""
    extra = set(project["project"]["optional-dependencies"]["ros"])
    build = {line for line in project["build-system"]["requires"] if line.startswith("ros-")}
    assert build and build <= extra


def test_every_installed_node_is_a_pip_command_too(repository: Path, project: dict) -> None:
    cmake = (repository / "CMakeLists.txt").read_text()
    (nodes,) = re.findall(r"foreach\(node IN ITEMS ([\w\s]+)\)", cmake)
    scripts = project["project"]["scripts"]
    assert scripts.pop("aura") == "aura_core.cli:main"
    assert sorted(scripts.values()) == sorted(f"aura_ros.{node}:main" for node in nodes.split())


def test_image_profile_holds_camera_images_and_fits_a_container(repository: Path) -> None:
    ns = {"d": "http://www.eprosima.com"}
    profile = ElementTree.parse(repository / "config" / "fastdds.xml").getroot()
    shm = next(
        t
        for t in profile.iterfind(".//d:transport_descriptor", ns)
        if t.findtext("d:type", None, ns) == "SHM"
    )
    segment, message = (
        int(shm.findtext(f"d:{name}", "0", ns)) for name in ("segment_size", "maxMessageSize")
    )
    image = 1920 * 1080 * 3
    assert image <= message <= segment
    assert 2 * image <= segment
    # camera, assistant and one more in a container's default /dev/shm
    assert 3 * segment < 64 * 2**20


def test_each_test_file_has_a_name_of_its_own() -> None:
    """pytest imports test files by their names: two of one name cannot be collected together."""
    names = [p.name for p in (ROOT / "test").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))
