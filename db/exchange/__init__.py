"""Results from other software in, and ours out, the same to the last bit."""
