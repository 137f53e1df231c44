"""Import of results of other software, and export that is read back bit for bit."""
