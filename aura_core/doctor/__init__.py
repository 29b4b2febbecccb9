"""`aura doctor`: what is installed, plugged in and reachable, and the fix for what is not.

A check is a small function that returns findings. Checks stand in groups, one file a group:
`python.py`, `compute.py`, `ros.py`, `sound.py`, `camera.py`, `model.py`, `server.py`. Each group
runs in a process of its own (`probe.py`) with a time limit (`examine.py`): a driver that hangs, or
a library that crashes, costs one line of the table. The checks need no package but numpy.
"""
