"""dbt Cloud: the webhook of its jobs."""
