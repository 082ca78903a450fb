"""O&M > Notification: who hears of which status change, and how that came to be."""
