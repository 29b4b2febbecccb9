"""How the key-value cache follows the window."""
