"""How the address of a source is shown to people: in errors, logs and diagnostics."""

from __future__ import annotations


def shown(url: str) -> str:
    """The address without its user name, password and query. A path is shown as it is.

    Cameras take passwords in a query too, so `?...` stands for it. Where an address breaks the
    rules (a password with an "@", "/" or "?" that is not escaped), more is left out, not less.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url
    place, question, _ = rest.partition("?")
    if "/" not in place:  # the "?" may belong to a password
        place, question, _ = rest.rpartition("@")[2].partition("?")
    return f"{scheme}://{place.rpartition('@')[2]}{question and '?...'}"
