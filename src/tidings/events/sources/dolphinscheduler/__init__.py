"""Apache DolphinScheduler: its HTTP alert plug-in."""
