"""`aura bench ros`: what ROS adds to the model's time, and how the nodes start, end and recover.

`response.py` says exactly what the ROS share of a response is.
"""
