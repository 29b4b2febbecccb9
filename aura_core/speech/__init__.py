"""Speech input (ears) and output (mouth): from a microphone's samples to questions, and from
responses to a speaker's samples. Knows no ROS, no simulator and no benchmark."""
