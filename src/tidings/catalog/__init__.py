"""What can happen: features, event types and roles, as data."""
