"""Completion of a query: tables, views, the columns of those that it names, and keywords."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

COMMANDS = (".help", ".quit", ".schema", ".tables")
KEYWORDS = tuple(
    re.findall(
        r"\w+",
        "SELECT DISTINCT FROM WHERE GROUP BY HAVING ORDER LIMIT JOIN LEFT ON USING AS AND OR NOT IN IS NULL LIKE "
        "BETWEEN CASE WHEN THEN ELSE END CAST WITH UNION ALL EXISTS DESC ASC OVER PARTITION "
        "count sum avg min max round rank ntile",
    )
)
_SOURCE = re.compile(r"\b(?:from|join)\s+(\w+)(?:\s+(?:as\s+)?(\w+))?", re.IGNORECASE)


class SqlCompleter(Completer):
    """Completion of names and keywords.

    Parameters
    ----------
    columns : mapping
        Columns by table or view.
    """

    def __init__(self, columns: Mapping[str, Sequence[str]]) -> None:
        self.columns = columns

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        """Yield the completions of the word before the cursor, columns before tables before keywords."""
        before = document.text_before_cursor
        word = re.search(r"[.\w]*$", before)
        assert word is not None
        typed = word[0].rpartition(".")[2] if before.strip()[:1] != "." else word[0]
        for name in dict.fromkeys(self._candidates(before, word[0], document.text)):
            if name.lower().startswith(typed.lower()) and name != typed:
                shown = name.lower() if name in KEYWORDS and typed.islower() else name
                yield Completion(shown, start_position=-len(typed))

    def _candidates(self, before: str, word: str, text: str) -> Iterable[str]:
        if before.lstrip().startswith("."):
            return self.columns if before.lstrip().startswith(".schema ") else COMMANDS
        sources = {
            name.lower(): table
            for table, alias in _SOURCE.findall(text)
            for name in (table, alias)
            if name and table in self.columns
        }
        if "." in word:
            return self.columns.get(sources.get(word.split(".")[0].lower(), ""), ())
        if re.search(r"\b(?:from|join)\s+\w*$", before, re.IGNORECASE):
            return self.columns
        # a query without FROM may name the columns of any view
        tables = list(dict.fromkeys(sources.values())) or list(self.columns)
        return [*(column for table in tables for column in self.columns[table]), *self.columns, *KEYWORDS]
