"""Many people or resources at once, from a file and into one: shown first, then put exactly as shown."""
