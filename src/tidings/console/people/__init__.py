"""People: who there is, how each is reached, what they answer for."""
