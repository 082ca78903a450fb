"""Other systems' own payloads: one folder per adapter, found by its name."""
