"""Live running: the host with its model thread, what waits for it, and what it reports. No ROS."""
