"""Text messages: what has to fit on a lock screen, and costs by the segment."""
