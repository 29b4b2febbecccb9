"""Speech input ("ears") and speech output ("mouth").

The input goes from a microphone's samples to questions. The output goes from responses to a
loudspeaker's samples. This package imports nothing of ROS, the simulator or the benchmarks.
"""
