"""`python -m aura_core.doctor.probe GROUP MODULE ASKED PARENT`: one group of checks in a process.

It writes one JSON object a line: the name of each check as it begins, and then its findings. So
what was found stays when a later check hangs or crashes.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from dataclasses import replace
from typing import Any

from aura_core.doctor.findings import Asked, Check, run
from aura_core.orphans import end_with

BEGINS, FOUND = "begins", "found"


def checks_of(module: str) -> tuple[Check, ...]:
    """The checks of a group; `module` holds them."""
    checks: tuple[Check, ...] = importlib.import_module(module).CHECKS
    return checks


def main(group: str, module: str, asked: str, parent: int) -> None:
    """Run the checks, and write what they find to what was standard output.

    Libraries print there too; what they print goes to standard error.
    """
    end_with(parent)
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def tell(**value: Any) -> None:
        print(json.dumps(value), file=out, flush=True)

    for check in checks_of(module):
        tell(begins=check.what)
        for finding in run(check, Asked.parse(asked)):
            tell(found=replace(finding, group=group).as_json())


if __name__ == "__main__":
    main(*sys.argv[1:4], int(sys.argv[4]))
    os._exit(0)  # threads and devices that a check has left open are not waited for
