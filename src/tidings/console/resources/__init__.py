"""Data resources: who answers for which instance, database and table."""
