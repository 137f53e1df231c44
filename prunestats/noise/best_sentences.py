"""What a selection found, in sentences and lines, the same in commands and reports."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from prunestats.noise.best_result import BestSubnetwork
from prunestats.numeric.intervals import Interval
from prunestats.wording import count, counted, fixed, percent, plain, share, shortened


def splits_sentence(found: Sequence[BestSubnetwork]) -> str:
    """Which split selects and which reports."""
    if all(one.split == "test" for one in found if one.subnetwork is not None):
        return "Selected by validation error; errors are those of the test split, which has no part in the selection."
    return "Selected and reported on one split, as no test error is recorded apart from validation error."


def answer_sentence(found: BestSubnetwork) -> str:
    """The answer in a sentence or two: which subnetwork, its error, its distance to the dense network and to uniform.

    Examples
    --------
    >>> from prunestats.noise.budget import Budget
    >>> none = BestSubnetwork("net", "data", None, None, 0.5, Budget(flops=0.5), None, 0, ("None of 3.",), 0.95)
    >>> answer_sentence(none)
    'At most 50 % of the FLOPs, net on data: none of 3.'
    """
    data = "" if found.dataset == "not recorded" else f" on {shortened(found.dataset)}"
    where = f"{_capitalised(found.budget.words)}, {shortened(found.network)}{data}"
    if found.subnetwork is None or found.expected is None:
        return f"{where}: {_lowered(found.notes[0])}"
    return f"{where}: take {plain(found.subnetwork)}. {_error(found, found.expected)}{_differences(found)}."


def cost_lines(found: BestSubnetwork) -> list[tuple[str, str]]:
    """What it is and what it costs: label and value of each line."""
    spaces = ", ".join(map(plain, found.spaces))
    lines = [("subnetwork", f"{found.subnetwork}, sampled from {spaces}")]
    if found.widths is not None:
        lines.append(("widths", _widths(found.widths)))
    if found.flops is not None and found.params is not None:
        whose = "of the dense network's"
        lines.append(("FLOPs", f"{count(found.flops)}, {percent(found.flops_fraction)} {whose}"))
        lines.append(("parameters", f"{count(found.params)}, {percent(found.params_fraction)} {whose}"))
    if found.latency_ms is not None:
        lines.append(("latency", _latency(found, found.latency_ms)))
    speeds = [(found.speedup_1, "batch of 1"), (found.speedup_64, "batch of 64")]
    measured = [f"{speed:.2f} ({batch})" for speed, batch in speeds if speed is not None]
    return [*lines, ("speed-up", ", ".join(measured))] if measured else lines


def brief_lines(found: BestSubnetwork) -> list[tuple[str, str]]:
    """What the sentence does not say, in as few lines as possible: widths, cost, speed, and how many are as good."""
    cost = dict(cost_lines(found))
    lines = [("widths", cost["widths"])] if "widths" in cost else []
    if found.flops is not None and found.params is not None:
        flops = f"{count(found.flops)} FLOPs ({percent(found.flops_fraction)} of the dense network's)"
        lines.append(("cost", f"{flops} and {count(found.params)} parameters ({percent(found.params_fraction)})"))
    lines += [(name, cost[name]) for name in ("latency", "speed-up") if name in cost]
    return lines if found.budget.max_drop is not None else [*lines, ("as good", _as_good(found))]


def error_lines(found: BestSubnetwork) -> list[tuple[str, str]]:
    """What error it is expected to have, and beside what: label and value of each line."""
    corrected = "" if found.corrected else f", mean of {counted(found.n_seeds, 'run')}, not corrected for selection"
    lines = [("dense error", _known(found.dense_error))]
    lines.append(("expected error", f"{_percent_interval(found.expected)}{corrected}"))
    lines.append(("drop", _point_interval(found.drop)))
    if found.uniform is not None:
        lines.append(("versus uniform", f"{_point_interval(found.versus_uniform)}{_uniform_mean(found)}"))
    if found.budget.max_drop is None:
        lines.append(("as good", _as_good(found)))
    return lines


def _latency(found: BestSubnetwork, ms: float) -> str:
    dense = "" if found.dense_ms is None else f", dense network {found.dense_ms:.3g} ms"
    faster = "" if found.speedup is None else f", speed-up {found.speedup:.3g}"
    return f"{ms:.3g} ms{dense}{faster} ({plain(found.latency_setting)})"


def _as_good(found: BestSubnetwork) -> str:
    if found.as_good is None:
        return f"unknown without repeated training seeds ({counted(found.n_candidates, 'candidate')})"
    others = found.n_candidates - 1
    return f"{found.as_good:,} of {counted(others, 'other candidate')} cannot be excluded from being the best"


def _widths(widths: Mapping[str, int]) -> str:
    """The widths with the names of their groups, or alone where these are not recorded."""
    if all(name.isdigit() for name in widths):
        return ", ".join(map(str, widths.values()))
    return ", ".join(f"{plain(name)} {width}" for name, width in widths.items())


def _uniform_mean(found: BestSubnetwork) -> str:
    if found.uniform_error is None or found.regime is None:
        return ""
    return f"; mean of uniform pruning at {share(found.regime)} of the FLOPs: {_percent_interval(found.uniform_error)}"


def _error(found: BestSubnetwork, expected: Interval) -> str:
    split = "" if found.split == "validation" else f"{found.split} "
    if found.corrected:
        return f"Its expected {split}error is {_percent_interval(expected)}"
    return (
        f"Its {split}error is {percent(expected.value)} ({counted(found.n_seeds, 'run')}, not corrected for selection)"
    )


def _differences(found: BestSubnetwork) -> str:
    parts = []
    if found.drop is not None:
        parts.append(f"{_above_or_below(found.drop)} the dense network ({_known(found.dense_error)})")
    if found.versus_uniform is not None and found.uniform_error is not None:
        mean = percent(found.uniform_error.value)
        parts.append(f"{_above_or_below(found.versus_uniform)} the mean of uniform pruning ({mean})")
    return f", {' and '.join(parts)}" if parts else ""


def _above_or_below(difference: Interval) -> str:
    """A difference in words, with its interval where that is known."""
    above = difference.value >= 0
    low, high = (difference.low, difference.high) if above else (-difference.high, -difference.low)
    verdict = ", not significant" if low <= 0 else ""
    bounds = f" ({fixed(100 * low, 2)} to {fixed(100 * high, 2)}{verdict})" if math.isfinite(low) else ""
    size = f"{fixed(100 * abs(difference.value), 2)} percentage points"
    return f"{size}{bounds} {'above' if above else 'below'}"


def _percent_interval(interval: Interval | None) -> str:
    if interval is None:
        return "unknown"
    if not math.isfinite(interval.low):
        return percent(interval.value)
    bounds = f"{fixed(100 * interval.low, 2)} to {fixed(100 * interval.high, 2)} %"
    return f"{percent(interval.value)} ({share(interval.level)} confidence interval {bounds})"


def _point_interval(interval: Interval | None) -> str:
    """A difference in percentage points with its sign; its interval where that is known."""
    if interval is None:
        return "unknown"
    value = f"{'+' * (interval.value > 0)}{fixed(100 * interval.value, 2)} percentage points"
    if not math.isfinite(interval.low):
        return value
    return f"{value} ({fixed(100 * interval.low, 2)} to {fixed(100 * interval.high, 2)})"


def _known(error: float | None) -> str:
    return "unknown" if error is None else percent(error)


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]
