"""`aura replay --expect`: checks the options, judges the replay and writes its reports."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table
from rich.text import Text

from aura_core.cli import output
from aura_core.cli.show import Show, one_line
from aura_core.errors import InputError
from aura_core.replay.expect import Expectations, read
from aura_core.replay.judge import Run, State, Verdict, judge, quoted
from aura_core.replay.lockstep import Asked
from aura_core.replay.witness import Witness

STYLES = {State.MISSED: "bold red", State.FORBIDDEN: "bold magenta", State.FALSE_ALARM: "yellow"}


class Expected:
    """The options of one replay that is judged; without `file` nothing is.

    Args:
        bag: the recording.
        file: the expectations. With `bless` it is written, and need not exist.
        junit, html: reports to write.
        asked: the questions of the command line.

    Raises:
        InputError: the options contradict each other, or a file cannot be written.
        ConfigError: the file of expectations is wrong.
    """

    def __init__(
        self,
        bag: Path,
        file: Path | None,
        bless: bool,
        junit: Path | None,
        html: Path | None,
        asked: Sequence[Asked],
    ) -> None:
        self._bag, self._file, self._bless = bag, file, bless
        self._junit, self._html, self._asked = junit, html, list(asked)
        self._expectations = Expectations()
        self.witness: Witness | None = None
        if file is None:
            given = {"--bless": bless, "--junit": junit, "--html": html}
            for option, value in given.items():
                if value:
                    raise InputError(f"{option} needs --expect FILE")
            return
        for option, path in (("--junit", junit), ("--html", html)):
            output.check(option, path)
        if bless:
            output.check("--expect", file)
        self._new = bless and not file.exists()
        if not self._new:
            self._expectations = read(file)
            if bless and asked:
                raise InputError(
                    f"--ask with --bless: {file} is there already; write the questions under ask"
                    " in it"
                )
        self.witness = Witness(pictures=html is not None)

    @property
    def questions(self) -> list[Asked]:
        """The questions of the file, then those of the command line."""
        return [Asked(q.text, q.at_s) for q in self._expectations.ask] + self._asked

    def topics(self, image: str | None, text: str | None) -> tuple[str | None, str | None]:
        """The topics of the command line, else those of the file."""
        return image or self._expectations.image_topic, text or self._expectations.text_topic

    def finish(self, show: Show) -> bool:
        """Judge the replay, print what failed and write the reports. Returns whether all is met."""
        if self.witness is None or self._file is None:
            return True
        if self.witness.stopped:
            show.warn("stopped before its end: the replay is not judged, and nothing is written")
            return False
        run = self.witness.run()
        if self._bless:
            self._write(self._file, run, show)
            self._expectations = read(self._file)
        verdict = judge(self._expectations, run)
        if self._junit is not None:
            from aura_core.replay.junit import junit

            output.write(self._junit, junit(str(self._bag), verdict, run))
        if self._html is not None:
            from aura_core.replay.html import Scrub, page, write_steps

            title = f"{self._file.name} over {self._bag.name}"
            scrub = Scrub(self._html.with_suffix(".jsonl"), self._bag)
            output.write(scrub.lines, write_steps(self.witness.steps))
            output.write(self._html, page(title, verdict, run, self.witness.thumbnails, scrub))
            show.note(f"to scrub through it: {scrub.command}")
        _show_verdict(show, self._file, verdict)
        return verdict.ok

    def _write(self, file: Path, run: Run, show: Show) -> None:
        from aura_core.replay.bless import blessed, fresh

        if self._new:
            output.write(file, fresh(self._bag, file, self._asked, run))
            show.note(f"{file} is written")
            return
        text, kept = blessed(file.read_text(encoding="utf-8"), str(file), run)
        output.write(file, text)
        if not kept:
            show.warn(f"the layout of {file} could not be kept: its comments are lost")
        show.note(f"{file} is updated")


def _show_verdict(show: Show, file: Path, verdict: Verdict) -> None:
    """Print a table of what failed, and one line for the whole."""
    if verdict.failed:
        table = Table(title=f"{file}: what failed", title_justify="left", expand=False)
        for column in ("result", "rule", "expectation", "why"):
            table.add_column(column, overflow="fold")
        for r in verdict.failed:
            state = Text(str(r.state), style=STYLES.get(r.state, "bold"))
            table.add_row(state, Text(r.where), Text(one_line(r.name)), Text(one_line(r.reason)))
        show.console.print(table)
    elif verdict.false_alarms and not show.quiet:
        said = ", ".join(quoted(s) for s in verdict.false_alarms)
        show.console.print(Text(f"false alarms that are allowed: {said}"), soft_wrap=True)
    show.console.print(Text(f"{file}: {verdict}"), soft_wrap=True)
