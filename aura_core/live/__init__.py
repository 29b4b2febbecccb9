"""Live running: the model's thread, what waits for it, and who listens. Knows no ROS."""
