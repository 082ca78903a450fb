"""O&M > Activity: what came in, who was told of it and what became of it."""
