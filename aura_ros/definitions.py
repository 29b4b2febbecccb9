"""The definitions of messages as text, from the classes of rclpy: for the bags that are written.

A class knows its fields and their types. Comments, constants and defaults are not in it; a bag
needs none of them.
"""

from __future__ import annotations

import re
from typing import Any

_SEQUENCE = re.compile(r"sequence<(.+?)(?:, (\d+))?>")
_ARRAY = re.compile(r"(.+)\[(\d+)\]")
_BASES = {"boolean": "bool", "octet": "byte", "float": "float32", "double": "float64"}


def type_name(cls: Any) -> str:
    """The name of the type of a message's class, such as "std_msgs/msg/String"."""
    package, kind = cls.__module__.split(".")[:2]
    return f"{package}/{kind}/{cls.__name__}"


def definition(cls: Any) -> str:
    """The definition of a message's class: a field a line, such as "float32 p_silent"."""
    fields = cls.get_fields_and_field_types()
    return "".join(f"{_written(kind)} {name}\n" for name, kind in fields.items())


def _written(kind: str) -> str:
    if (found := _SEQUENCE.fullmatch(kind)) is not None:
        most = f"<={found[2]}" if found[2] else ""
        return f"{_written(found[1])}[{most}]"
    if (found := _ARRAY.fullmatch(kind)) is not None:
        return f"{_written(found[1])}[{found[2]}]"
    if (found := re.fullmatch(r"(w?string)<(\d+)>", kind)) is not None:
        return f"{found[1]}<={found[2]}"
    return _BASES.get(kind, kind)
