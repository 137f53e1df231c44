"""Read-only queries written by users, with errors that give the position of the mistake."""
