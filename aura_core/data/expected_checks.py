"""How many checks a time is expected to cost: the search for the right second, counted.

The search of `times.py` is played against every case that `erring.py` draws from: a claim that is
right, or a second early or late, and evidence that stays in view for 1 to `lasting_s` seconds.
Other answers near by and wrong verdicts are left out; `aura bench data times` counts them too.
"""

from __future__ import annotations

from aura_core.data.erring import Errors
from aura_core.data.times import first_visible, nearest


def checks_of_a_time(standing: bool, repair_s: int, off: float) -> float:
    """Return the mean number of seconds that an author is asked about for one time.

    Args:
        standing: of a standing question, whose second before is looked at too; else of a real-time
            one.
        repair_s: how far from the claim the right second is looked for, in seconds.
        off: share of the claims that are a second off, half of them early.
    """
    total = 0.0
    for share, claim in ((1 - off, 0), (off / 2, -1), (off / 2, 1)):  # the evidence begins at 0
        for stays_s in range(1, Errors.lasting_s + 1):
            total += share / Errors.lasting_s * _asked(standing, claim, repair_s, stays_s)
    return total


def _asked(standing: bool, claim: int, repair_s: int, stays_s: int) -> int:
    asked: set[int] = set()

    def seen(second: int) -> bool:
        asked.add(second)
        return 0 <= second < stays_s

    search = first_visible if standing else nearest
    search(seen, claim, claim - repair_s, claim + repair_s)
    return len(asked)
