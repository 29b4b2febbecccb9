"""The pytest plugin: an integrator's tests of bags, in runs of pytest of their own."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from bags import MS, START

from aura_core.replay.lockstep import Asked, insert
from aura_core.replay.writer import write_bag
from aura_core.types import Frame

pytest_plugins = ["pytester"]
WATCH = "Tell me whenever the light changes."
GOOD = "expect: [{alert: any, at: 2.5, words: [brightness]}]\n"
BAD = "expect: [{alert: any, at: 4.5, words: [brightness]}]\n"


@pytest.fixture
def package(pytester: pytest.Pytester) -> pytest.Pytester:
    """A folder with the bag `kitchen`, whose light goes on at 2 s, and a good and a bad file."""
    frames = [
        Frame(np.full((8, 8, 3), 200 if k >= 4 else 20, np.uint8), START + k * 500 * MS)
        for k in range(12)
    ]
    write_bag(pytester.path / "kitchen", insert(frames, [Asked(WATCH, 0.0)]))
    (pytester.path / "good.yaml").write_text(GOOD)
    (pytester.path / "bad.yaml").write_text(BAD)
    return pytester


def run(package: pytest.Pytester, *args: str) -> pytest.RunResult:
    arguments = ("-p", "aura_core.pytest_plugin", "--aura-model", "scripted", *args)
    return package.runpytest_inprocess(*arguments)


def test_three_lines_test_a_bag(package):
    package.makepyfile('def test_kitchen(aura_bag):\n    aura_bag.check("kitchen", "good.yaml")\n')
    run(package).assert_outcomes(passed=1)


def test_a_miss_is_told_with_its_time_and_without_a_traceback(package):
    package.makepyfile('def test_kitchen(aura_bag):\n    aura_bag.check("kitchen", "bad.yaml")\n')
    result = run(package)
    result.assert_outcomes(failed=1)
    out = result.stdout.str()
    assert (
        "missed: expect[0]: alert in 3.5..5.5 s: brightness: 'The brightness changed to 200.' at"
        " 2.5 s is 1 s too early"
    ) in out
    assert "false alarm: most_false_alarms" in out and "Traceback" not in out
    assert "    alert 'The brightness changed to 200.' at 2.5 s" in out


def test_a_refused_question_does_not_hide_the_rest(package):
    asked = f"ask: [{{at: 1, text: {'w ' * 9999}}}]\n"
    (package.path / "kitchen.expect.yaml").write_text(asked + BAD)
    result = run(package, "--aura-bags")
    result.assert_outcomes(failed=1)
    out = result.stdout.str()
    assert "is refused: the question has" in out and "is 1 s too early" in out


def test_what_cannot_be_used_is_one_line(package):
    package.makepyfile('def test_kitchen(aura_bag):\n    aura_bag.check("no", "good.yaml")\n')
    result = run(package)
    result.assert_outcomes(failed=1)
    assert "there is no such bag" in result.stdout.str()
    assert "Traceback" not in result.stdout.str()


def test_the_model_is_loaded_once_and_the_verdict_is_the_same_each_time(package):
    package.makepyfile(
        """
        import pytest

        from aura_core import models

        loaded, load = [], models.load

        @pytest.fixture(autouse=True)
        def counted(monkeypatch):
            monkeypatch.setattr(models, "load", lambda *a: loaded.append(1) or load(*a))

        @pytest.mark.parametrize("turn", [1, 2, 3])
        def test_kitchen(aura_bag, turn):
            checked = aura_bag.check("kitchen", "good.yaml")
            assert [s.at_s for s in checked.run.said if s.alert] == [2.5]
            assert len(loaded) == 1
        """
    )
    run(package).assert_outcomes(passed=3)


def test_files_are_collected_on_request_only(package):
    (package.path / "kitchen.expect.yaml").write_text(GOOD)  # the bag of its name
    (package.path / "light.expect.yaml").write_text("bag: kitchen\n" + BAD)
    (package.path / "lost.expect.yaml").write_text(GOOD)
    (package.path / "wrong.expect.yaml").write_text("expects: []")
    run(package).assert_outcomes()
    result = run(package, "--aura-bags", "-v")
    result.assert_outcomes(passed=1, failed=3)
    out = result.stdout.str()
    assert "kitchen.expect.yaml::kitchen PASSED" in out
    assert "is 1 s too early" in out
    assert "lost.expect.yaml: there is no bag of its name; name it with 'bag: PATH'" in out
    assert "unknown key 'expects'; did you mean 'expect'?" in out
    assert "Traceback" not in out


def test_pages_and_junit_are_written(package):
    (package.path / "kitchen.expect.yaml").write_text(BAD)
    run(package, "--aura-bags", "--aura-html", "out", "--junitxml", "out/j.xml")
    page = (package.path / "out" / "kitchen-kitchen.expect.html").read_text()
    assert "failed</b>" in page and "data:image/jpeg" in page
    assert "is 1 s too early" in (package.path / "out" / "j.xml").read_text()


def test_the_command_and_the_plugin_give_the_same_page(package, monkeypatch):
    from aura_core.cli import main

    monkeypatch.chdir(package.path)
    (package.path / "kitchen.expect.yaml").write_text(BAD + f"ask: [{{at: 4, text: '{WATCH}'}}]\n")
    run(package, "--aura-bags", "--aura-html", "out")
    with pytest.raises(SystemExit) as e:
        main(
            [
                *("replay", "kitchen", "--model", "scripted"),
                *("--expect", "kitchen.expect.yaml", "--html", "out/own.html"),
            ]
        )
    assert e.value.code == 1
    # the names of their own files differ
    own = re.compile(r"<p>Every second.*?</p>|#run=[^&]*")
    pages = [own.sub("", p.read_text()) for p in sorted((package.path / "out").glob("*.html"))]
    assert len(pages) == 2 and pages[0] == pages[1]
    assert len(list((package.path / "out").glob("*.jsonl"))) == 2


def test_a_run_without_bags_imports_pytest_alone():
    code = (
        "import sys, pytest; before = set(sys.modules); import aura_core.pytest_plugin;"
        " print(sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "['aura_core', 'aura_core.pytest_plugin']\n"


def test_the_entry_point_has_the_name_of_its_module(repository: Path):
    """So that `-p aura_core.pytest_plugin` beside an installed package loads it once only."""
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    name = "aura_core.pytest_plugin"
    assert project["entry-points"]["pytest11"] == {name: name}
    text = (repository / "cmake" / "entry_points.txt").read_text()
    assert text == f"[pytest11]\n{name} = {name}\n"


def test_an_installed_plugin_is_found_and_may_be_named_too(package, repository: Path):
    """The files that CMake installs, beside the package, in a folder of the path."""
    from aura_core import __version__

    site = package.path / "site"
    info = site / f"aura_core-{__version__}.dist-info"
    info.mkdir(parents=True)
    metadata = (repository / "cmake" / "METADATA.in").read_text()
    (info / "METADATA").write_text(metadata.replace("@aura_ros_VERSION@", __version__))
    shutil.copy(repository / "cmake" / "entry_points.txt", info)
    package.makepyfile('def test_kitchen(aura_bag):\n    aura_bag.check("kitchen", "good.yaml")\n')
    for extra, says in (
        ([], "1 passed"),
        (["-p", "aura_core.pytest_plugin", "--collect-only"], "1 test collected"),
    ):
        code = f"import sys; sys.path[:0] = {[str(site), str(repository)]!r}; import pytest;"
        code += f" sys.exit(pytest.main({['-q', '--aura-model', 'scripted', *extra]!r}))"
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=package.path, capture_output=True, text=True
        )
        assert done.returncode == 0 and says in done.stdout, done.stdout + done.stderr
