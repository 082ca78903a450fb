"""A robot in a DingTalk group, which mentions whom a message is for ("DingTalk chatbot" in DMS)."""
