"""Many people or resources from a file: handed in, shown row by row, put as shown."""
