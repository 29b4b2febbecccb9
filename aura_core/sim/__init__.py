"""A household room seen by a robot: what happens in it, its pixels, and what may be asked
about it."""
