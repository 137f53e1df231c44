"""Data sets, read from files that users have, as arrays and three splits."""
