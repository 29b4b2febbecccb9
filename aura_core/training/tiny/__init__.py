"""The embedded model `aura_tiny`: trained from nothing on the simulator."""
