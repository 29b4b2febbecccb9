"""pytest plugin: bags as tests.

    def test_kitchen(aura_bag):
        aura_bag.check("bags/kitchen", "kitchen.expect.yaml")

`pytest --aura-bags` also collects each `*.expect.yaml` as a test. Everything but pytest is imported
when the first bag is tested, so other test runs pay nothing for this plugin.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from aura_core.models.backend import Backend
    from aura_core.replay.check import Checked

ENDING = ".expect.yaml"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of this plugin."""
    group = parser.getgroup("aura", "bags as tests (aura_ros)")
    group.addoption(
        "--aura-bags", action="store_true", help=f"collect each *{ENDING} as a test of its bag"
    )
    group.addoption("--aura-model", metavar="MODEL", help="as --model of aura replay")
    group.addoption("--aura-device", metavar="DEVICE", help="as --device of aura replay")
    group.addoption("--aura-config", metavar="FILE", help="as --config of aura replay")
    group.addoption("--aura-html", metavar="DIR", help="write an HTML page for each bag to DIR")


class Models:
    """The models of one test session; each is loaded once."""

    def __init__(self, config: pytest.Config) -> None:
        self._options = config
        self._loaded: dict[Any, Backend] = {}

    def check(
        self,
        bag: Path,
        expect: Path,
        model: str | None = None,
        config: Path | None = None,
    ) -> Checked:
        """Replay and judge one bag. `model` and `config` come before the options of pytest.

        Raises `AuraError` when the bag, the file or the model cannot be used.
        """
        from aura_core.cli.options import assistant_config
        from aura_core.models import load
        from aura_core.replay.check import check

        given = self._options.getoption
        file = given("--aura-config") if config is None else config
        settings = assistant_config(
            Path(file) if file else None,
            model or given("--aura-model"),
            given("--aura-device"),
            None,
        )
        key = settings.model, settings.server
        if key not in self._loaded:
            self._loaded[key] = load(settings.model, settings.server)
        folder = given("--aura-html")
        checked = check(bag, expect, settings, self._loaded[key], pictures=bool(folder))
        if folder:
            _write_page(Path(folder), checked)
        return checked


MODELS = pytest.StashKey[Models]()


def pytest_configure(config: pytest.Config) -> None:
    """Make the place where models are kept. None is loaded."""
    config.stash[MODELS] = Models(config)


class AuraBag:
    """What the fixture `aura_bag` gives. Paths are relative to the folder of the test's file."""

    def __init__(self, models: Models, folder: Path) -> None:
        self._models, self._folder = models, folder

    def check(
        self,
        bag: str | Path,
        expect: str | Path,
        *,
        model: str | None = None,
        config: str | Path | None = None,
    ) -> Checked:
        """Replay `bag`, and fail the test unless all that the file `expect` says is met.

        Args:
            bag: rosbag2 folder, .mcap or .db3 file.
            expect: YAML file of expectations.
            model: as --model of `aura replay`; None: --aura-model, else that of `config`.
            config: settings of the engine; None: --aura-config, else the defaults.

        Returns:
            What was asked and said, and the verdict.
        """
        from aura_core.errors import AuraError

        file = None if config is None else self._folder / config
        try:
            checked = self._models.check(self._folder / bag, self._folder / expect, model, file)
        except AuraError as e:
            pytest.fail(str(e), pytrace=False)
        if not checked.verdict.ok:
            pytest.fail(checked.report(), pytrace=False)
        return checked


@pytest.fixture
def aura_bag(request: pytest.FixtureRequest) -> AuraBag:
    """Tests a bag against its expectations: `aura_bag.check("bags/kitchen", "expect.yaml")`."""
    return AuraBag(request.config.stash[MODELS], request.path.parent)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """With --aura-bags, each file of expectations is collected."""
    if not parent.config.getoption("--aura-bags") or not file_path.name.endswith(ENDING):
        return None
    return ExpectFile.from_parent(parent, path=file_path)


class ExpectFile(pytest.File):
    """A file of expectations: one test."""

    def collect(self) -> Iterator[pytest.Item]:
        """The test of the bag."""
        yield BagItem.from_parent(self, name=self.path.name.removesuffix(ENDING))


class BagFailed(Exception):
    """The text is the report."""


class BagItem(pytest.Item):
    """One bag, replayed and judged."""

    def runtest(self) -> None:
        """Raise `BagFailed` unless all is met."""
        from aura_core.errors import AuraError
        from aura_core.replay.check import bag_of

        try:
            checked = self.config.stash[MODELS].check(bag_of(self.path), self.path)
        except AuraError as e:
            raise BagFailed(str(e)) from e
        if not checked.verdict.ok:
            raise BagFailed(checked.report())

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The report alone, without a traceback."""
        if isinstance(excinfo.value, BagFailed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """The file, and the name that pytest prints."""
        return self.path, None, f"bag {self.name}"


def _write_page(folder: Path, checked: Checked) -> None:
    from aura_core.cli.output import write
    from aura_core.replay.html import Scrub, page, write_steps

    name = re.sub(r"[^\w.-]+", "_", f"{checked.bag.name}-{checked.file.stem}")
    title = f"{checked.file.name} over {checked.bag.name}"
    scrub = Scrub(folder / f"{name}.jsonl", checked.bag)
    text = page(title, checked.verdict, checked.run, checked.thumbnails, scrub)
    write(scrub.lines, write_steps(checked.steps))
    write(folder / f"{name}.html", text)
