"""How to reach: one folder per channel behind one contract."""
