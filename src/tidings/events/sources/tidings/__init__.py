"""Events in our own words, and CloudEvents: from whoever cannot be told that one was refused."""
