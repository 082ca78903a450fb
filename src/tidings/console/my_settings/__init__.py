"""My settings: how I am reached, in which language, and what I would get; the first of these also of others."""
