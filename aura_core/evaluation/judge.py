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
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from aura_core.errors import ConfigError, InputError, ModelError
from aura_core.http_client import HttpClient, HttpOptions
from aura_core.replies import objects
from aura_core.words import words_of

PROMPTS = Path(__file__).parent / "prompts"
_STOP = frozenset(
    re.findall(
        r"\w+", "a an the is are was were be it its this that of to in on at and or i you he she"
    )
)


@dataclass(frozen=True)
class Grade:
    """A verdict: `score` is in [0, 1].

    The prompt says what `flag` means: content given away, or plainly wrong.
    """

    score: float
    flag: bool = False


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

    def close(self) -> None:
        """Do nothing: there are no connections."""


def words(text: str) -> list[str]:
    """Return the lower-case words without stop words, or all words if no others remain."""
    every = words_of(text)
    return [w for w in every if w not in _STOP] or every


@dataclass
class ApiJudge:
    """An LLM behind `url` (the base, such as http://host:8000/v1), with temperature 0.

    Args:
        key_env: environment variable with the token; empty: none is sent.
        kept: file of JSON lines with the verdicts so far; None: they are not stored.
        prompts: folder of the prompt files.
        timeout_s: longest silence of the server, in seconds.

    Raises `InputError` when the server cannot be reached or refuses. If two replies are not the
    JSON that was asked for, the grade is 0, and `malformed` is increased.
    """

    url: str
    model: str
    key_env: str = ""
    kept: Path | None = None
    prompts: Path = PROMPTS
    timeout_s: float = 60.0
    malformed: int = 0
    asked: int = 0
    client: HttpClient = field(init=False, repr=False)
    _verdicts: dict[str, Grade] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise InputError(f"--judge-url {self.url}: must be an http:// or https:// address")
        if not self.model:
            raise InputError(
                "--judge-url needs --judge-model, the name under which the judge is served"
            )
        options = HttpOptions(
            self.url,
            self.key_env,
            connect_timeout_s=10.0,
            read_timeout_s=self.timeout_s,
            retries=4,
            retry_wait_s=2.0,
            retry_wait_max_s=60.0,  # hosted APIs ask for a minute when a quota is used up
            url_setting="--judge-url",
            model_setting="--judge-model",
            api_key_setting="--judge-key-env",
            timeout_setting="",
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
        """Model and address."""
        malformed = (
            f"; {self.malformed} answers were malformed and count as 0" if self.malformed else ""
        )
        return f"{self.model} at {self.url}{malformed}"

    def grade(self, prompt: str, question: str, truth: str, said: str, later: str = "") -> Grade:
        """See `Judge.grade`."""
        known = {"question": question, "truth": truth, "said": said, "later": later or "(nothing)"}
        text = fill(self._template(prompt), known)
        key = hashlib.sha256(f"{self.model}\n{text}".encode()).hexdigest()
        if key not in self._verdicts:
            grade = read_verdict(self._ask(text)) or read_verdict(self._ask(text))
            if grade is None:
                self.malformed += 1
                return Grade(0.0)
            self._verdicts[key] = grade
            self._keep(key, grade)
        return self._verdicts[key]

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

    def _ask(self, text: str) -> str:
        self.asked += 1
        body = {
            "model": self.model,
            "messages": [{"role": "user", "content": text}],
            "temperature": 0,
            "max_tokens": 256,
        }
        try:
            return _content(self.client.retry(lambda: self.client.post(body)))
        except ModelError as e:
            raise InputError(
                f"no answer of the judge {self.model}: {e}; run again: verdicts so far are kept"
            ) from e

    def _keep(self, key: str, grade: Grade) -> None:
        if self.kept is None:
            return
        try:
            with self.kept.open("a", encoding="utf-8") as out:
                out.write(json.dumps({"key": key, "score": grade.score, "flag": grade.flag}) + "\n")
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
            self._verdicts[verdict["key"]] = Grade(float(verdict["score"]), bool(verdict["flag"]))
        except (json.JSONDecodeError, KeyError, TypeError, ValueError):
            return


def fill(template: str, known: Mapping[str, str]) -> str:
    """Return `template` with {name} replaced for each known name.

    Other braces stay, such as those of JSON. Text that was filled in is not searched again, because
    a reply may contain {truth}.
    """
    return re.sub(r"\{(" + "|".join(known) + r")\}", lambda m: known[m[1]], template)


def read_verdict(text: str) -> Grade | None:
    """Return the first JSON object with a valid score in `text`, or None."""
    for data in objects(text, nested=True):
        score = data.get("score")
        if isinstance(score, int | float) and not isinstance(score, bool) and 0 <= score <= 1:
            return Grade(float(score), data.get("flag") is True)
    return None


def _content(reply: dict[str, Any]) -> str:
    """Return the message of a chat completion, or "" for any other object."""
    try:
        return str(reply["choices"][0]["message"]["content"])
    except (KeyError, IndexError, TypeError):
        return ""
