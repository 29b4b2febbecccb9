"""`python -m aura_core.cli` is the `aura` command."""

from aura_core.cli import main

main()
