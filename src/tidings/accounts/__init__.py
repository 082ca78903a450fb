"""Tenants, people, tokens and what each may do."""
