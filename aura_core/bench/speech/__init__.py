"""Parts of the speech benchmark: voices, virtual sound devices, sentences outside the grammar."""
