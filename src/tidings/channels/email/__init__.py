"""Mail over SMTP: one message for one person, a thread for each subject."""
