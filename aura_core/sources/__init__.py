"""Where frames come from without ROS: files, cameras, network streams, folders and the simulator."""
