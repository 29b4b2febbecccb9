"""What the assistant remembers beyond its window: notes on disk, their search, and their recall.

Knows no ROS and no torch.
"""
