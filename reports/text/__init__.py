"""Tables and sentences, each number taken from the result that a table shows."""
