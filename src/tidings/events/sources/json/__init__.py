"""Any JSON: whoever sets a source up says by expressions where the parts of an event are."""
