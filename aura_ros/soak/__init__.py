"""`aura soak`: the nodes run for long, are asked all the time, and are killed one after another.

`nodes.py` starts, kills and measures them, `user.py` asks and listens, `verdict.py` judges the
record of both.
"""
