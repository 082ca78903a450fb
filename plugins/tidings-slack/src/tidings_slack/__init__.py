"""Slack as a channel of Tidings, by incoming webhooks; and an example of a channel from another package."""
