"""The demo: camera, assistant and user as ROS 2 processes, checked against the truth."""
