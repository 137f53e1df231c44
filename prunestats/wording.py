"""Formatting of numbers, units and names for readers; rounding happens here and nowhere else."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

MINUS = "\N{MINUS SIGN}"
NONE = "\N{EN DASH}"

_BIDI_CONTROLS = frozenset(map(chr, [*range(0x202A, 0x202F), *range(0x2066, 0x206A)]))
"""Unicode's controls of the reading direction, which would reorder the rest of a line."""


def fixed(value: float | None, digits: int) -> str:
    """A number with `digits` decimals and a minus sign (U+2212); an en dash for a missing number.

    Examples
    --------
    >>> fixed(-1.005, 1), fixed(None, 2), fixed(-0.001, 2)
    ('−1.0', '–', '0.00')
    """
    if value is None or math.isnan(value):
        return NONE
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    printed = f"{value:,.{digits}f}"
    if not any(c in "123456789" for c in printed):
        printed = printed.lstrip("-")
    return printed.replace("-", MINUS)


def count(value: int) -> str:
    """A whole number with thousands separators.

    Examples
    --------
    >>> count(12345)
    '12,345'
    """
    return f"{int(value):,}"


def counted(value: int, noun: str, plural: str | None = None) -> str:
    """A whole number and its noun, in the singular or plural.

    Examples
    --------
    >>> counted(1, "run"), counted(2000, "run")
    ('1 run', '2,000 runs')
    """
    return f"{count(value)} {noun if value == 1 else plural or noun + 's'}"


def percent(value: float | None, digits: int = 2) -> str:
    """A fraction as a percentage.

    Examples
    --------
    >>> percent(0.0325), percent(None)
    ('3.25 %', '–')
    """
    printed = fixed(times100(value), digits)
    return printed if printed == NONE else f"{printed} %"


def share(value: float) -> str:
    """A regime or a confidence level as a percentage, without trailing zeros.

    Examples
    --------
    >>> share(0.25), share(0.125), share(0.95)
    ('25 %', '12.5 %', '95 %')
    """
    return f"{100 * value:.4g} %"


def p_value(value: float | None, name: str = "p") -> str:
    """A p-value with its symbol; below 0.001 as an inequality, never as zero.

    Examples
    --------
    >>> p_value(0.0312), p_value(1e-9), p_value(0.5, "")
    ('p = 0.031', 'p < 0.001', '0.500')
    """
    if value is None or math.isnan(value):
        return NONE
    if value < 0.001:
        return f"{name} < 0.001".strip()
    return f"{name} = {value:.3f}" if name else f"{value:.3f}"


def decimals(values: Iterable[float | None], significant: int = 3) -> int:
    """Number of decimals, at most 8, with which the largest of some numbers has `significant` digits.

    Examples
    --------
    >>> decimals([101.2, 98.7]), decimals([0.0123])
    (0, 4)
    """
    finite = [abs(v) for v in values if v is not None and math.isfinite(v) and v != 0]
    if not finite:
        return 0
    return min(max(significant - 1 - math.floor(math.log10(max(finite))), 0), 8)


def ratio_digits(values: Iterable[float | None]) -> int:
    """Number of decimals for FLOPs-to-bucket ratios that are printed together: four significant digits."""
    known = [v for v in values if v is not None]
    return decimals(known, 4)


def ratio_unit(bucket: int) -> str:
    """Unit of a ratio: FLOPs per parameter, or per bucket of parameters.

    Examples
    --------
    >>> ratio_unit(1), ratio_unit(1024)
    ('FLOPs per parameter', 'FLOPs per bucket of 1,024 parameters')
    """
    return "FLOPs per parameter" if bucket == 1 else f"FLOPs per bucket of {count(bucket)} parameters"


def size(value: float) -> str:
    """A large number with its SI prefix, three significant digits, for a label.

    Examples
    --------
    >>> size(1234567), size(250000), size(12)
    ('1.23 M', '250 k', '12')
    """
    factor, unit = next(((f, u) for f, u in PREFIXES if abs(value) >= f), (1.0, ""))
    return f"{value / factor:.3g} {unit}".strip()


def plain(text: object) -> str:
    """A name as one line of printable text: unprintable characters become U+FFFD.

    Examples
    --------
    >>> plain("two\\nlines")
    'two lines'
    """
    line = " ".join(str(text).split())
    return "".join("\ufffd" if _unprintable(c) else c for c in line)


PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def _unprintable(character: str) -> bool:
    return character in _BIDI_CONTROLS or unicodedata.category(character) in {"Cc", "Cs", "Cn", "Co"}


def times100(value: float | None) -> float | None:
    """A fraction times 100; None for None."""
    return None if value is None else 100 * value


def p_words(value: float) -> str:
    """A p-value as it follows the letter p in a sentence; below 0.0001 as an inequality.

    Examples
    --------
    >>> p_words(0.0123), p_words(1e-9)
    ('= 0.012', '< 0.0001')
    """
    return "< 0.0001" if value < 1e-4 else f"= {value:.2g}"


def shortened(text: object, length: int = 36) -> str:
    """A name for a table, shortened in the middle to `length` characters."""
    name = plain(text)
    return name if len(name) <= length else f"{name[: length // 2]}…{name[-(length // 2 - 1) :]}"


def settings(values: Mapping[str, Any], prefix: str = "") -> str:
    """Settings in one line: names with values; nested names are joined by dots."""
    parts = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            parts.append(settings(value, f"{prefix}{plain(name)}."))
        else:
            shown = f"{value:g}" if isinstance(value, float) else plain(value)
            parts.append(f"{prefix}{plain(name)} {shown}")
    return ", ".join(part for part in parts if part)


def ratio_range(low: float, high: float) -> str:
    """A range of two ratios, with the same number of decimals."""
    digits = ratio_digits((low, high))
    return f"{fixed(low, digits)} to {fixed(high, digits)}"


RESPONSE_NAMES = {"error": "error", "log_cross_entropy": "log cross-entropy"}


def response_name(response: str) -> str:
    """The name of a response in a sentence.

    Examples
    --------
    >>> response_name("log_cross_entropy"), response_name("perplexity")
    ('log cross-entropy', 'perplexity')
    """
    return RESPONSE_NAMES.get(response, response)
