"""What each person wants: methods, and where they lead."""
