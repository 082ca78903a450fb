"""`make faults`: what Tidings does while its parts are killed, frozen, restarted and lied to, with counts."""
