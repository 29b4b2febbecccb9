"""What a check finds, what it is asked, and how it is declared."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from aura_core.errors import ConfigError

# ok; warn: it runs, with a drawback; missing: something optional is not there; fault: it cannot run
OK, WARN, MISSING, FAULT = "ok", "warn", "missing", "fault"
STATES = (OK, WARN, MISSING, FAULT)


@dataclass(frozen=True)
class Finding:
    """One row of the table.

    Attributes:
        what: the thing that was looked at, such as "torch".
        state: one of `STATES`.
        found: one line; of a missing thing what it would bring.
        fix: the command or the setting that mends it, in one line; "" where nothing is to be done.
        group: the group of its check; `probe.py` sets it.
    """

    what: str
    state: str
    found: str
    fix: str = ""
    group: str = ""

    def __post_init__(self) -> None:
        if self.state not in STATES:
            raise ConfigError(f"{self.what}: a state must be one of {', '.join(STATES)}")

    def as_json(self) -> dict[str, str]:
        """The fields by name."""
        return asdict(self)


@dataclass(frozen=True)
class Asked:
    """What the user wants to be checked.

    Attributes:
        model: a checkpoint, as `model.path` names it; "": that of `params`, or the embedded one.
        params: file of settings; "": none.
        camera: a source that is opened for one frame; "": only the devices are listed.
        load: the model is loaded too.
    """

    model: str = ""
    params: str = ""
    camera: str = ""
    load: bool = False

    def dump(self) -> str:
        """As one argument of a command line."""
        return json.dumps(asdict(self))

    @classmethod
    def parse(cls, text: str) -> Asked:
        """The reverse of `dump`."""
        return cls(**json.loads(text))

    def settings(self) -> Any:
        """The `AssistantConfig` that the model and the server are checked for.

        Raises `ConfigError` where the file of settings cannot be used.
        """
        from dataclasses import replace

        from aura_core.config import AssistantConfig

        config = AssistantConfig()
        if self.params:
            config = AssistantConfig.from_yaml(Path(self.params))
        if self.model:
            config = replace(config, model=replace(config.model, path=self.model))
        return config


Look = Callable[[Asked], Iterable[Finding]]


@dataclass(frozen=True)
class Check:
    """A function that looks at one thing.

    Attributes:
        what: the thing, for the line that is written when `look` hangs, crashes or raises.
        look: returns findings, none where the thing is not wanted.
        stuck: what to do when it hangs or crashes.
    """

    what: str
    look: Look
    stuck: str = ""


def run(check: Check, asked: Asked) -> list[Finding]:
    """The findings of a check. It raises nothing: a library is foreign code."""
    from aura_core.errors import one_line

    try:
        return list(check.look(asked))
    except (Exception, SystemExit) as e:
        found = f"it could not be checked: {type(e).__name__}: {one_line(e, 200)}"
        return [Finding(check.what, FAULT, found, check.stuck)]
