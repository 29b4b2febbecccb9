"""Is what was said the same as what is true? Asked of an LLM over an OpenAI-compatible API, or told
by rules.

The prompts are files (`prompts/*.txt`); a folder of one's own may replace them. Verdicts of an LLM
are kept in a file, so a scoring that was cut off goes on, and one that is repeated costs nothing.
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
    """`score` is between 0 and 1; what `flag` means is in the prompt (content given away, plainly
    wrong)."""

    score: float
    flag: bool = False


class Judge(Protocol):
    """Grades words against the truth. `description` is one line for reports."""

    description: str

    def grade(self, prompt: str, question: str, truth: str, said: str, later: str = "") -> Grade:
        """`prompt` is one of answer, acknowledgment, core, interrupted; `later` is what becomes due
        afterwards."""
        ...


class RuleJudge:
    """Words in common: no model, no network, and no notion of synonyms.

    answer, core, interrupted: 1 when all words of the truth are said, else the F1 of the words.
    acknowledgment: content is given away when at least half of the truth's words are said; else the
    score is 1.
    """

    description = (
        "rules (words in common); a judge by API is needed to compare with published figures"
    )

    def grade(self, prompt: str, question: str, truth: str, said: str, later: str = "") -> Grade:
        """See the class."""
        due, told = Counter(words(truth)), Counter(words(said))
        common = (due & told).total()
        recall = common / due.total() if due else 0.0
        if prompt == "acknowledgment":
            asked = Counter(words(question))
            news = due - asked  # words of the question may be repeated
            given = (news & told).total() >= 0.5 * news.total() if news else False
            return Grade(0.0 if given else 1.0, given)
        if not due or not told:
            return Grade(float(truth.strip() == said.strip()))
        return Grade(1.0 if recall == 1.0 else 2 * common / (due.total() + told.total()))


def words(text: str) -> list[str]:
    """Lower-case words without articles and the like; all of them where nothing else is left."""
    every = words_of(text)
    return [w for w in every if w not in _STOP] or every


@dataclass
class ApiJudge:
    """An LLM behind `url` (the base, such as http://host:8000/v1), temperature 0.

    Args:
        key_env: environment variable with the token; empty: none is sent.
        kept: JSON lines with the verdicts so far; None: they are not kept.
        prompts: folder of the prompt files.

    Raises `InputError` when the server cannot be reached or refuses. An answer that is not the JSON
    that was asked for scores 0 and is counted in `malformed`.
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
        """See `Judge`."""
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
        """Bytes that are no UTF-8 spoil their line alone, which is asked again."""
        try:
            return kept.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError as e:
            raise InputError(f"{kept}: cannot read the verdicts so far: {e.strerror}") from e

    def _remember(self, line: str) -> None:
        """A kept verdict; a half-written line is asked again."""
        try:
            verdict = json.loads(line)
            self._verdicts[verdict["key"]] = Grade(float(verdict["score"]), bool(verdict["flag"]))
        except (json.JSONDecodeError, KeyError, TypeError, ValueError):
            return


def fill(template: str, known: Mapping[str, str]) -> str:
    """`template` with {name} replaced where the name is known. All other braces are the template's
    own, such as those of JSON; and what was put in is not looked at again: a reply may well say
    {truth}."""
    return re.sub(r"\{(" + "|".join(known) + r")\}", lambda m: known[m[1]], template)


def read_verdict(text: str) -> Grade | None:
    """The first JSON object with a score in `text`; None when there is none."""
    for data in objects(text, nested=True):
        score = data.get("score")
        if isinstance(score, int | float) and not isinstance(score, bool) and 0 <= score <= 1:
            return Grade(float(score), data.get("flag") is True)
    return None


def _content(reply: dict[str, Any]) -> str:
    """The message of a chat completion; "" when the reply is another object."""
    try:
        return str(reply["choices"][0]["message"]["content"])
    except (KeyError, IndexError, TypeError):
        return ""
