"""Prefect 3: events of flow runs, by an automation's webhook or by the hooks of a flow."""
