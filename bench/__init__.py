"""Speed and memory of the whole way, measured on real parts: `make bench`."""
