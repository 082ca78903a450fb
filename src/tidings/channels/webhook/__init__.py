"""A person's own HTTP endpoint, signed as Standard Webhooks says."""
