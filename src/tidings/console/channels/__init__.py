"""Notice management: which channels there are, how they are set up, and how they are doing."""
