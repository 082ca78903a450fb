"""The web console: pages for everyone who gets messages, and for those who decide who gets them."""
