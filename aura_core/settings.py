"""Settings: each is declared once, as a dataclass field with default, description, unit and limits.

Everything else is made from this declaration: the check of a value, the ROS 2 parameters of the
nodes, the keys of a YAML file, options of the `aura` command and docs/parameters.md.

    @dataclass(frozen=True)
    class WindowConfig(Settings, section="window"):
        keep: int = setting(30, "video kept when the window is cut back", unit="chunks", low=1)
"""

from __future__ import annotations

import dataclasses
import functools
import math
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field
from typing import Any, ClassVar, TypeVar

from aura_core.errors import ConfigError, shown
from aura_core.plain import build, convert

Value = str | int | float | bool | Sequence[str]  # types of ROS 2 parameters that are used
REQUIRED: Any = MISSING  # the default of a setting that has none
NAME = "NAME"  # stands for a name that the user chooses, in the names of `parameters`

_SETTING, _SECTION, _NAMED = "setting", "section", "named"
_S = TypeVar("_S", bound="Settings")


@dataclass(frozen=True)
class Setting:
    """The declaration of one setting; its name, type and default are the field's.

    Attributes:
        description: plain English, without the unit.
        unit: for example "s".
        low, high: limits; the limit itself is allowed.
        above, below: limits; the limit itself is not allowed.
        choices: the allowed texts.
        null: what None means, where the type allows None.
        unset: the value that stands for None in a ROS 2 parameter, which cannot be null.
        live: it can be changed while the node runs.
        parameter: its name as a ROS 2 parameter; "": the field's name; None: it is no parameter.
    """

    description: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    above: float | None = None
    below: float | None = None
    choices: tuple[str, ...] = ()
    null: str = ""
    unset: Value | None = None
    live: bool = False
    parameter: str | None = ""

    @property
    def limits(self) -> str:
        """The limits of a number, as words that follow "must be"; "" without limits."""
        low = self.low if self.above is None else self.above
        high = self.high if self.below is None else self.below
        if low is None and high is None:
            return ""
        if high is None:
            return f"{'at least' if self.above is None else 'above'} {_number(low)}"
        if low is None:
            return f"{'at most' if self.below is None else 'below'} {_number(high)}"
        if self.above is not None and self.below is not None:
            return f"between {_number(low)} and {_number(high)}"
        opening = "[" if self.above is None else "("
        closing = "]" if self.below is None else ")"
        return f"in {opening}{_number(low)}, {_number(high)}{closing}"

    def refusal(self, value: Any, name: str) -> str:
        """Why `value` is refused, in words that name the setting; "" when it is not refused.

        None is never refused here: the type tells whether it is allowed.
        """
        if self.choices and value is not None and value not in self.choices:
            return f"{name} must be one of {', '.join(self.choices)}, not '{value}'"
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return ""
        if not self._within(value):
            if self.limits == "at least 0":
                return f"{name} must not be negative, not {shown(value)}"
            unit = f" {self.unit}" if self.unit and not name.endswith(f"_{self.unit}") else ""
            return f"{name} must be {self.limits}{unit}, not {shown(value)}"
        if isinstance(value, float) and not math.isfinite(value):
            return f"{name} must be a finite number, not {value}"
        return ""

    def _within(self, value: float) -> bool:
        return (
            (self.low is None or value >= self.low)
            and (self.above is None or value > self.above)
            and (self.high is None or value <= self.high)
            and (self.below is None or value < self.below)
        )


@dataclass(frozen=True)
class Section:
    """The declaration of a settings dataclass within another one.

    Attributes:
        prefix: stands before the names of its parameters; None: the field's name and a dot.
        hide: its fields that are no parameters here.
    """

    prefix: str | None = None
    hide: tuple[str, ...] = ()


def setting(default: Any, description: str, **declared: Any) -> Any:
    """A dataclass field that is a setting.

    For `declared` see `Setting`. With the default `REQUIRED` the setting has no default.
    """
    return field(default=default, metadata={_SETTING: Setting(description, **declared)})


def section(
    cls: Callable[..., Any], prefix: str | None = None, hide: tuple[str, ...] = (), **defaults: Any
) -> Any:
    """A dataclass field that holds a dataclass of settings, with other `defaults` where given."""
    make = functools.partial(cls, **defaults)
    return field(default_factory=make, metadata={_SECTION: Section(prefix, hide)})


def named(cls: type[Settings], description: str) -> Any:
    """A dataclass field that maps names that the user chooses to settings of the class `cls`.

    The settings of `cls` all have defaults. As ROS 2 parameters they are `FIELD.NAME.SETTING`.
    """
    metadata = {_NAMED: cls, _SETTING: Setting(description)}
    return field(default_factory=dict, metadata=metadata)


class Settings:
    """Base class of every frozen dataclass of settings. It checks the values at construction.

    `section` stands before a setting's name in messages. A subclass with rules between settings
    calls `super().__post_init__()` first.
    """

    SECTION: ClassVar[str] = ""

    def __init_subclass__(cls, section: str = "", **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.SECTION = section

    def __post_init__(self) -> None:
        """Check every field, and raise `ConfigError` naming the setting.

        A whole number becomes a float, and a text a member of an enumeration, where that is the
        field's type.
        """
        kinds = _kinds(type(self))
        for f in dataclasses.fields(self):  # type: ignore[arg-type]
            name = f"{self.SECTION}.{f.name}" if self.SECTION else f.name
            given = getattr(self, f.name)
            value = convert(kinds[f.name], given, name)
            if value is not given:
                object.__setattr__(self, f.name, value)
            if problem := declared(f).refusal(value, name):
                raise ConfigError(problem)


@dataclass(frozen=True)
class Parameter:
    """One setting as a ROS 2 parameter.

    `path` are the names of the fields that lead to it; `NAME` stands for a name that the user
    chooses. In `default`, None is replaced by the value that stands for it.
    """

    name: str
    path: tuple[str, ...]
    default: Value
    setting: Setting

    @property
    def low(self) -> float | None:
        """Smallest value of a number, the value that stands for None included."""
        return self._limit(self.setting.low, self.setting.above, min)

    @property
    def high(self) -> float | None:
        """Largest value of a number, the value that stands for None included."""
        return self._limit(self.setting.high, self.setting.below, max)

    @property
    def description(self) -> str:
        """One line: description, what the value that stands for None means, and the unit."""
        unit = f" [{self.setting.unit}]" if self.setting.unit else ""
        return f"{self.description_without_unit}{unit}"

    @property
    def description_without_unit(self) -> str:
        """`description` without the unit, for a table that has a column for it."""
        s = self.setting
        null = f"; {unset_text(s.unset)}: {s.null}" if s.unset is not None else ""
        return f"{s.description}{null}"

    def setting_value(self, value: Value) -> Value | None:
        """The parameter's value as a value of the setting: None where it stands for None."""
        unset = self.setting.unset
        return None if unset is not None and value == unset else value

    def refusal(self, value: Value) -> str:
        """Why `value` is refused, in words that name the parameter; "" when it is not refused."""
        return self.setting.refusal(self.setting_value(value), self.name)

    def _limit(
        self, closed: float | None, opened: float | None, further: Callable[..., float]
    ) -> float | None:
        if isinstance(self.default, (bool, str)):
            return None
        limit = closed if opened is None else opened
        unset = self.setting.unset
        return limit if limit is None or unset is None else further(limit, unset)


def parameters(cls: type[Settings]) -> tuple[Parameter, ...]:
    """The ROS 2 parameters of a dataclass of settings, those of its sections included.

    Where the user chooses names, the name is `NAME`: `reactions.NAME.do`. `expand` makes the
    parameters of the chosen names.
    """
    return tuple(_parameters(cls(), "", (), ()))


def expand(table: Iterable[Parameter], given: Iterable[str]) -> tuple[Parameter, ...]:
    """`table`, and in the place of `NAME` each name that occurs in the parameter names `given`."""
    table, given = tuple(table), tuple(given)
    fixed = tuple(p for p in table if NAME not in p.path)
    by_home: dict[str, list[Parameter]] = {}
    for p in table:
        if NAME in p.path:
            by_home.setdefault(p.name.partition(f"{NAME}.")[0], []).append(p)
    chosen: list[Parameter] = []
    for home, free in by_home.items():
        names = {g.removeprefix(home).partition(".")[0]: g for g in given if g.startswith(home)}
        chosen += [_with_name(p, name) for name in names if name not in ("", NAME) for p in free]
    return (*fixed, *chosen)


def from_parameters(cls: type[_S], values: Mapping[str, Value], where: str) -> _S:
    """The settings from values of `parameters(cls)`; missing ones have their defaults.

    Raises `ConfigError`, which begins with `where`.
    """
    tree: dict[str, Any] = {}
    for p in expand(parameters(cls), values):
        if p.name in values:
            home = tree
            for key in p.path[:-1]:
                home = home.setdefault(key, {})
            home[p.path[-1]] = p.setting_value(values[p.name])
    result: _S = build(cls, tree, where)
    return result


def find(cls: type[Settings], name: str) -> Setting:
    """The declaration of the field `name` of `cls`."""
    return declared(next(f for f in dataclasses.fields(cls) if f.name == name))  # type: ignore[arg-type]


def declared(f: dataclasses.Field[Any]) -> Setting:
    """The declaration of a field; an empty one for a section."""
    return f.metadata.get(_SETTING, _NOTHING)


def unset_text(value: Value | None) -> str:
    """A value that stands for None, as text for a reader."""
    return "empty" if value == "" else str(value)


_NOTHING = Setting("")


def _with_name(p: Parameter, name: str) -> Parameter:
    path = tuple(name if key == NAME else key for key in p.path)
    return dataclasses.replace(p, name=p.name.replace(f".{NAME}.", f".{name}.", 1), path=path)


def _parameters(
    value: Settings | type[Settings], prefix: str, path: tuple[str, ...], hide: tuple[str, ...]
) -> Iterator[Parameter]:
    """The parameters of `value`. Where it is a class, the defaults are those of its fields."""
    for f in dataclasses.fields(value):  # type: ignore[arg-type]
        if inner_cls := f.metadata.get(_NAMED):
            home = (*path, f.name, NAME)
            yield from _parameters(inner_cls, f"{prefix}{f.name}.{NAME}.", home, ())
            continue
        current = getattr(value, f.name)
        if isinstance(current, Settings):
            s: Section = f.metadata[_SECTION]
            inner = f"{f.name}." if s.prefix is None else s.prefix
            yield from _parameters(current, prefix + inner, (*path, f.name), s.hide)
            continue
        d = declared(f)
        if d.parameter is None or f.name in hide:
            continue
        default = d.unset if current is None else current
        if not isinstance(default, (str, int, float, tuple)):
            raise TypeError(f"{type(value).__name__}.{f.name}: None needs an `unset` for ROS 2")
        plain = str(default) if isinstance(default, str) else default  # an enum member to its text
        yield Parameter(prefix + (d.parameter or f.name), (*path, f.name), plain, d)


@functools.cache
def _kinds(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _number(value: float | None) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
