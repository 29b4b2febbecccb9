"""`python -m aura_core.cli` is `aura`."""

from aura_core.cli import main

main()
