"""The sentence above the table of an analysis: which study and split it speaks of, and what is printed."""

from __future__ import annotations

from prunestats.cli.analysis import LoadedRuns
from prunestats.cli.terminal import say

_PURPOSES = {"validation": "for selection; reporting uses test", "test": "for reporting; selection uses validation"}


def print_heading(loaded: LoadedRuns, content: str, form: str) -> None:
    """Print the sentence above a table: study, split with its purpose, and content; CSV and JSON go without."""
    split = loaded.parameters["split"]
    print_sentence(f"Study {loaded.parameters['study']!r}, {split} split ({_PURPOSES[split]}): {content}.", form)


def print_sentence(sentence: str, form: str) -> None:
    """Print a sentence above a table; CSV and JSON, which programs read, go without."""
    if form == "table":
        say(sentence)
