"""Sentences and tables of a report; every number in a sentence is read from the result that a table prints."""
