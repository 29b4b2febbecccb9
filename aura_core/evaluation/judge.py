"""Judges: whether what was said matches the truth, decided by an LLM or by rules.

The LLM is behind an OpenAI-compatible API. Its prompts are files (`prompts/*.txt`), which a user's
folder may replace. Its verdicts are stored in a file. So a scoring that was interrupted continues,
and a repeated one sends no requests.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from aura_core.config import ChatConfig
from aura_core.errors import ConfigError, InputError, ModelError
from aura_core.http_client import HttpClient, HttpOptions
from aura_core.replies import Malformed, Reply, ask, request
from aura_core.words import words_of

PROMPTS = Path(__file__).parent / "prompts"
REPAIR = "Your reply cannot be used: {fault}\nReply again, with only the JSON object asked for."
MAX_MALFORMED = 0.5  # share of a scoring's verdicts; with more, the figures are not the model's
EARLY = 20  # verdicts after which that is looked at before the end
_STOP = frozenset(
    re.findall(
        r"\w+", "a an the is are was were be it its this that of to in on at and or i you he she"
    )
)


@dataclass(frozen=True)
class Grade:
    """A verdict: `score` is in [0, 1].

    The prompt says what `flag` means: content given away, or plainly wrong. `phrase` are the first
    words that answer; "" where nothing was asked for, or nothing answers.
    """

    score: float
    flag: bool = False
    phrase: str = ""


class Judge(Protocol):
    """Grades words against the truth. `description` is one line for reports."""

    description: str

    def grade(self, prompt: str, question: str, truth: str, said: str, later: str = "") -> Grade:
        """Return a grade. Raises `InputError` when the judge cannot be asked.

        Args:
            prompt: answer, acknowledgment, core or interrupted.
            later: what becomes due afterwards.
        """
        ...

    def close(self) -> None:
        """Close the connections, if there are any."""
        ...

    def check(self) -> None:
        """At the end of a scoring. Raises `InputError` when too little could be judged."""
        ...


class RuleJudge:
    """Compares words. It uses no model and no network, and knows no synonyms.

    - answer, core, interrupted: the score is 1 if all words of the truth are said, else the F1 of
      the words.
    - acknowledgment: content is given away if at least half of the truth's words are said that are
      not in the question. Then the score is 0, else 1.
    """

    description = (
        "rules (words in common); a judge by API is needed to compare with published figures"
    )

    def grade(self, prompt: str, question: str, truth: str, said: str, later: str = "") -> Grade:
        """See `Judge.grade` and the class."""
        due, told = Counter(words(truth)), Counter(words(said))
        common = (due & told).total()
        recall = common / due.total() if due else 0.0
        if prompt == "acknowledgment":
            asked = Counter(words(question))
            news = due - asked  # repeating words of the question gives nothing away
            given = (news & told).total() >= 0.5 * news.total() if news else False
            return Grade(0.0 if given else 1.0, given)
        if not due or not told:
            return Grade(float(truth.strip() == said.strip()))
        return Grade(1.0 if recall == 1.0 else 2 * common / (due.total() + told.total()))

    def check(self) -> None:
        """Do nothing: rules judge everything."""

    def close(self) -> None:
        """Do nothing: there are no connections."""


def words(text: str) -> list[str]:
    """Return the lower-case words without stop words, or all words if no others remain."""
    every = words_of(text)
    return [w for w in every if w not in _STOP] or every


@dataclass
class ApiJudge:
    """An LLM behind an OpenAI-compatible API.

    Args:
        config: the server, and the settings of the requests.
        kept: file of JSON lines with the verdicts so far; None: they are not stored.
        prompts: folder of the prompt files.

    Raises `InputError` when the server cannot be reached or refuses. A reply that is not the JSON
    that was asked for goes back, `config.repairs` times. After that the grade is 0, and `malformed`
    is increased; more than `MAX_MALFORMED` of all are refused.
    """

    config: ChatConfig
    kept: Path | None = None
    prompts: Path = PROMPTS
    judged: int = 0  # answers, those with a verdict that was kept included
    malformed: int = 0
    repairs: int = 0
    client: HttpClient = field(init=False, repr=False)
    _verdicts: dict[str, Grade] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.config.url:
            raise InputError("--judge-url is missing, the address of the judge")
        if not self.config.model:
            raise InputError(
                "--judge-url needs --judge-model, the name under which the judge is served"
            )
        options = replace(
            HttpOptions.of(self.config),
            url_setting="--judge-url",
            model_setting="--judge-model",
            api_key_setting="--judge-key-env",
            timeout_setting="read_timeout_s of --judge-config",
        )
        try:
            self.client = HttpClient(options)
        except ConfigError as e:
            raise InputError(str(e)) from e
        if self.kept is not None and self.kept.is_file():
            for line in self._kept_lines(self.kept):
                self._remember(line)

    @property
    def description(self) -> str:
        """Model and address, and what was wrong with its replies."""
        repairs = f"; {self.repairs} replies were asked for again" if self.repairs else ""
        malformed = (
            f"; {self.malformed} answers were malformed and count as 0" if self.malformed else ""
        )
        return f"{self.config.model} at {self.config.url}{repairs}{malformed}"

    def grade(self, prompt: str, question: str, truth: str, said: str, later: str = "") -> Grade:
        """See `Judge.grade`."""
        known = {"question": question, "truth": truth, "said": said, "later": later or "(nothing)"}
        text = fill(self._template(prompt), known)
        key = hashlib.sha256(f"{self.config.model}\n{text}".encode()).hexdigest()
        self.judged += 1
        if key not in self._verdicts:
            try:
                grade = self._ask(text)
            except Malformed as e:
                self.malformed += 1
                if self.judged >= EARLY:
                    self.check(e)
                return Grade(0.0)
            self._verdicts[key] = grade
            self._keep(key, grade)
        return self._verdicts[key]

    def check(self, last: Malformed | None = None) -> None:
        """See `Judge`."""
        if self.malformed > MAX_MALFORMED * self.judged:
            why = f", the last because {last}" if last is not None else ""
            raise InputError(
                f"the judge {self.config.model}: {self.malformed} of {self.judged} replies cannot"
                f" be used{why}; max_tokens (now {self.config.max_tokens}) or extra_body of"
                " --judge-config may help; verdicts so far are kept"
            )

    def close(self) -> None:
        """Close the connections. A request that is under way in another thread ends at once."""
        self.client.close()

    def _template(self, name: str) -> str:
        path = self.prompts / f"{name}.txt"
        try:
            return path.read_text(encoding="utf-8")
        except OSError as e:
            raise InputError(f"{path}: cannot read the judge's prompt: {e.strerror}") from e
        except UnicodeDecodeError as e:
            raise InputError(f"{path}: cannot read the judge's prompt: it is not UTF-8 text") from e

    def _ask(self, text: str) -> Grade:
        """Raises `Malformed` when no reply can be used."""
        messages = [{"role": "user", "content": text}]
        return ask(
            self._reply,
            messages,
            verdict,
            lambda fault: REPAIR.format(fault=fault),
            self.config.repairs,
            self._count_repair,
        )

    def _count_repair(self) -> None:
        self.repairs += 1

    def _reply(self, messages: Sequence[dict[str, Any]]) -> Reply:
        body = request(self.config, messages)
        try:
            return Reply.of(self.client.retry(lambda: self.client.post(body)))
        except ModelError as e:
            raise InputError(
                f"no answer of the judge {self.config.model}: {e}; run again: verdicts so far are"
                " kept"
            ) from e

    def _keep(self, key: str, grade: Grade) -> None:
        if self.kept is None:
            return
        try:
            with self.kept.open("a", encoding="utf-8") as out:
                kept = {"key": key, "score": grade.score, "flag": grade.flag}
                kept |= {"phrase": grade.phrase} if grade.phrase else {}
                out.write(json.dumps(kept, ensure_ascii=False) + "\n")
        except OSError as e:
            raise InputError(
                f"{self.kept}: cannot keep the judge's verdicts here: {e.strerror}; copy the"
                " predictions to a folder that can be written"
            ) from e

    @staticmethod
    def _kept_lines(kept: Path) -> list[str]:
        """Return the lines of the verdict file.

        A line with bytes that are not UTF-8 becomes invalid; only that verdict is asked for again.
        """
        try:
            return kept.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError as e:
            raise InputError(f"{kept}: cannot read the verdicts so far: {e.strerror}") from e

    def _remember(self, line: str) -> None:
        """Add a stored verdict.

        A half-written line is ignored, so that this verdict is asked for again.
        """
        try:
            verdict = json.loads(line)
            self._verdicts[verdict["key"]] = Grade(
                float(verdict["score"]), bool(verdict["flag"]), str(verdict.get("phrase", ""))
            )
        except (json.JSONDecodeError, KeyError, TypeError, ValueError):
            return


def fill(template: str, known: Mapping[str, str]) -> str:
    """Return `template` with {name} replaced for each known name.

    Other braces stay, such as those of JSON. Text that was filled in is not searched again, because
    a reply may contain {truth}.
    """
    return re.sub(r"\{(" + "|".join(known) + r")\}", lambda m: known[m[1]], template)


def verdict(data: dict[str, Any]) -> Grade:
    """The grade in a reply's object. Raises `Malformed`."""
    score = data.get("score")
    if isinstance(score, int | float) and not isinstance(score, bool) and 0 <= score <= 1:
        phrase = data.get("phrase")
        return Grade(
            float(score), data.get("flag") is True, phrase if isinstance(phrase, str) else ""
        )
    raise Malformed(f"'score' must be a number from 0 to 1, not {score!r:.60}")
