"""The image recipes and the workflow name only what exists: they cannot be run in this test."""

from __future__ import annotations

import ast
import fnmatch
import itertools
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from aura_core import extras

ROOT = Path(__file__).resolve().parents[2]
RECIPES = [ROOT / "docker" / "Dockerfile", ROOT / "docker" / "Dockerfile.jetson"]
WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
DISTRIBUTIONS = ["jazzy", "kilted", "lyrical", "rolling"]
TARGETS = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
(NODES,) = re.findall(r"foreach\(node IN ITEMS ([\w\s]+)\)", (ROOT / "CMakeLists.txt").read_text())
INSTRUCTION = re.compile(r"^([A-Z]+) ((?:.*\\\n)*.*)$", re.MULTILINE)


def instructions(recipe: Path) -> list[tuple[str, str]]:
    """Name and arguments of each instruction, without comments, a continued line as one."""
    text = re.sub(r"^#.*\n", "", recipe.read_text(), flags=re.MULTILINE)
    return [(name, rest.replace("\\\n", " ")) for name, rest in INSTRUCTION.findall(text)]


def left_out(path: str) -> bool:
    """A file is not sent to the build, by a line of .dockerignore.

    As Docker reads it: `*` stays within a folder, and a line without `**/` begins at the root.
    """
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    parts = path.split("/")
    for line in lines:
        wanted = line.removeprefix("**/").split("/")
        starts = range(len(parts)) if line.startswith("**/") else [0]
        for start in starts if line and not line.startswith("#") else []:
            found = parts[start : start + len(wanted)]
            if len(found) == len(wanted) and all(map(fnmatch.fnmatch, found, wanted)):
                return True
    return False


def arguments_of_the_launch_file() -> dict[str, list[str] | None]:
    """The launch arguments with their choices, read from the source: it needs `launch` to run."""
    tree = ast.parse((ROOT / "launch" / "assistant.launch.py").read_text())
    (table,) = (
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "ARGUMENTS"
    )
    assert isinstance(table, ast.Tuple)
    found: dict[str, list[str] | None] = {}
    for row in table.elts:
        assert isinstance(row, ast.Tuple)
        choices = row.elts[3]
        try:
            found[ast.literal_eval(row.elts[0])] = ast.literal_eval(choices)
        except ValueError:  # computed from a setting
            found[ast.literal_eval(row.elts[0])] = None
    return found


def check_ros_command(words: list[str], folders: dict[str, Path]) -> None:
    """`ros2 launch` and `ros2 run` name files, arguments, programs and parameter files that are
    there. `folders`: what is mounted where."""
    assert words[:1] == ["ros2"] and words[2] == "aura_ros", words
    if words[1] == "launch":
        assert (ROOT / "launch" / words[3]).is_file()
        known = arguments_of_the_launch_file()
        given = dict(word.split(":=", 1) for word in words[4:])
        for name, value in given.items():
            assert name in known, name
            choices = known[name]
            assert choices is None or value in choices, f"{name}:={value}"
        files = [given["params_file"]] if "params_file" in given else []
    else:
        assert words[1] == "run" and words[3] in NODES.split(), words
        files = [after for word, after in itertools.pairwise(words) if "params" in word]
    for file in files:
        mount, _, rest = file.removeprefix("/").partition("/")
        assert (folders[f"/{mount}"] / rest).is_file(), file


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda p: p.name)
def test_everything_that_is_copied_is_there(recipe: Path) -> None:
    copies = [rest.split() for name, rest in instructions(recipe) if name == "COPY"]
    assert [".", "src/aura_ros"] in copies
    for *sources, _ in copies:
        for source in sources:
            assert (ROOT / source).exists(), source
            assert source == "." or not left_out(source), source


def test_what_colcon_installs_is_sent_to_the_build() -> None:
    cmake = (ROOT / "CMakeLists.txt").read_text()
    named = re.findall(r'"((?:msg|srv|action)/[\w.]+)"|(cmake/[\w.]+)', cmake)
    files = ["package.xml", "CMakeLists.txt", "LICENSE", *(a or b for a, b in named)]
    for folder in ("aura_core", "aura_ros", "config", "launch"):
        files += [
            str(p.relative_to(ROOT))
            for p in (ROOT / folder).rglob("*")
            if p.is_file() and "__pycache__" not in p.parts
        ]
    assert "aura_core/models/aura_tiny/model.safetensors" in files
    assert [f for f in files if left_out(f)] == []
    assert left_out("test/core/test_containers.py") and left_out(".git/config")


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda p: p.name)
def test_a_recipe_uses_its_arguments_and_ends_in_a_launch(recipe: Path) -> None:
    steps = instructions(recipe)
    text = " ".join(rest for name, rest in steps if name != "ARG")
    for name, rest in steps:
        if name == "ARG":
            assert f"${{{rest.partition('=')[0]}}}" in text, rest
    (wanted,) = re.findall(r'EXTRAS="([\w -]+)"', recipe.read_text())
    assert set(wanted.split()) <= set(extras.EXTRAS)
    last = {name: rest for name, rest in steps if name in ("ENTRYPOINT", "CMD")}
    assert yaml.safe_load(last["ENTRYPOINT"]) == ["/entrypoint.sh"]
    check_ros_command(yaml.safe_load(last["CMD"]), {})
    # the commands in its head
    for line in re.findall(r"^# .*?(ros2 launch .*)$", recipe.read_text(), re.MULTILINE):
        check_ros_command(line.split(), {})


def test_the_distributions_are_the_same_everywhere() -> None:
    workflow = yaml.safe_load(WORKFLOW.read_text())["jobs"]["colcon"]
    assert workflow["strategy"]["matrix"]["distribution"] == DISTRIBUTIONS
    recipe = RECIPES[0].read_text()
    (told,) = re.findall(r"^# ROS_DISTRO: ([\w, ]+)\.", recipe, re.MULTILINE)
    assert re.findall(r"\w+", told.replace(" or ", " ")) == DISTRIBUTIONS
    (default,) = re.findall(r"^ARG ROS_DISTRO=(\w+)", recipe, re.MULTILINE)
    assert default in DISTRIBUTIONS
    table = (ROOT / "docs" / "installation.md").read_text()
    assert [d for d in DISTRIBUTIONS if f"| {d.capitalize()} " not in table] == []


@pytest.mark.parametrize("name", [n for n in SERVICES if n != "vllm"])
def test_a_service_of_ours_names_what_is_there(name: str) -> None:
    service = SERVICES[name]
    build = service["build"]
    assert (ROOT / "docker" / build["context"] / build["dockerfile"]).resolve() == RECIPES[0]
    arguments = {rest.partition("=")[0] for n, rest in instructions(RECIPES[0]) if n == "ARG"}
    assert set(build["args"]) <= arguments
    assert service["network_mode"] == service["ipc"] == "host"
    mounts = [v.removesuffix(":ro").rsplit(":", 1) for v in service["volumes"]]
    folders = {to: (ROOT / "docker" / source).resolve() for source, to in mounts}
    assert folders["/config"] == ROOT / "config"
    profile = service["environment"]["FASTDDS_DEFAULT_PROFILES_FILE"]
    assert (folders["/config"] / profile.removeprefix("/config/")).is_file()
    check_ros_command(shlex.split(service["command"]), folders)


def gpus(name: str) -> list[str]:
    """The GPUs that a container sees."""
    reserved = SERVICES[name].get("deploy", {}).get("resources", {}).get("reservations", {})
    return [i for device in reserved.get("devices", []) for i in device["device_ids"]]


def test_each_service_sees_the_gpu_that_its_parameters_name() -> None:
    config = yaml.safe_load((ROOT / "config" / "workstation.yaml").read_text())
    model = config["/**/assistant_node"]["ros__parameters"]["model"]["device"]
    ears = config["/**/asr_node"]["ros__parameters"]["device"]
    for service, device, gpu in (("assistant", model, "0"), ("speech", ears, "1")):
        kind, index = device.split(":")
        assert kind == "cuda" and gpus(service)[int(index)] == gpu
    assert gpus("vllm") == ["0"] and gpus("assistant_of_server") == []


def test_each_profile_has_one_assistant_and_a_voice() -> None:
    for profile in ("workstation", "server"):
        started = {n for n, s in SERVICES.items() if profile in s["profiles"]}
        assert len([n for n in started if n.startswith("assistant")]) == 1
        assert "speech" in started
    assert all(service["profiles"] for service in SERVICES.values())


def test_the_server_is_started_as_the_documents_say() -> None:
    config = yaml.safe_load((ROOT / "config" / "server.yaml").read_text())
    parameters = config["/**/assistant_node"]["ros__parameters"]
    words = shlex.split(SERVICES["vllm"]["command"])
    given = {w: after for w, after in zip(words, [*words[1:], ""], strict=True) if w[:2] == "--"}
    assert given["--model"] == parameters["model"]["path"]
    assert parameters["server"]["url"] == f"http://localhost:{given['--port']}/v1"
    told = (ROOT / "docs" / "server.md").read_text().replace("\\\n", " ")
    (line,) = re.findall(r"vllm serve (.*)", told)
    documented = shlex.split(line)[1:]
    template = given["--chat-template"]  # in the folder that is mounted
    words.append(template.rpartition("/")[2])
    assert template == "/models/bare.jinja"
    assert [w for w in documented if w not in words] == []


def test_the_workflow_calls_what_exists() -> None:
    jobs = yaml.safe_load(WORKFLOW.read_text())["jobs"]
    steps = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    lines = [line.strip() for run in steps for line in run.splitlines()]
    assert ".ci/run" in lines
    called = [shlex.split(line)[1] for line in lines if line.startswith("make ")]
    assert called == ["colcon-test"]
    scripts = [line.split()[0] for line in lines if line.startswith(".ci/")]
    assert all((ROOT / script).is_file() for script in scripts)
    assert jobs["colcon"]["container"] == "ros:${{ matrix.distribution }}-ros-base"


@pytest.mark.parametrize("script", [p for p in (ROOT / ".ci").iterdir() if p.is_file()], ids=str)
def test_every_make_target_that_is_called_exists(script: Path) -> None:
    for target in re.findall(r"^\s*make ([\w-]+)", script.read_text(), re.MULTILINE):
        assert target in TARGETS, target


def test_colcon_tests_the_folders_that_are_there() -> None:
    cmake = (ROOT / "CMakeLists.txt").read_text()
    (folders,) = re.findall(r"foreach\(folder IN ITEMS ([\w ]+)\)", cmake)
    for folder in folders.split():
        assert list((ROOT / "test" / folder).glob("test_*.py"))
    (wanted,) = re.findall(r"requirements ([\w -]+)\)", (ROOT / ".ci" / "colcon").read_text())
    assert set(wanted.split()) <= set(extras.EXTRAS)
