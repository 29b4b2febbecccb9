"""What the speech benchmark needs: voices, virtual sound devices, sentences outside the grammar."""
