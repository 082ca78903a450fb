"""DingTalk to the person: a work notification, or a message of the app's robot."""
