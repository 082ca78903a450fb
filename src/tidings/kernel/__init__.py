"""Clock, ids, secrets, settings, the embedded database and the one way out to the network."""
