"""What to tell: one rule per tenant and event type."""
