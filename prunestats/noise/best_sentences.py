"""What a selection found, in sentences and lines, the same in commands and reports."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from prunestats.metric import ERROR, Metric
from prunestats.noise.best_result import BestSubnetwork
from prunestats.numeric.intervals import Interval
from prunestats.wording import count, counted, decimals, percent, plain, share, shortened


def splits_sentence(found: Sequence[BestSubnetwork]) -> str:
    """Which split selects and which reports."""
    metric = found[0].metric if found else ERROR
    label, values = metric.label, "errors" if metric == ERROR else "values"
    apart = all(one.split == "test" for one in found if one.subnetwork is not None)
    which = (
        f"Selected by validation {label}; {values} are those of the test split, which has no part in the selection."
        if apart
        else f"Selected and reported on one split, as no test {label} is recorded apart from validation {label}."
    )
    bounded = any(one.expected is not None and math.isfinite(one.expected.low) for one in found)
    if metric == ERROR or not bounded:
        return which
    # an error is a mean over images, whose sampling error is binomial; of another metric it is not known
    return (
        f"{which} Intervals are over training seeds and subnetworks, on these data: how far {label} would differ on "
        "other data is not included."
    )


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
    for name, cost, part in _costs(found):
        lines.append((name, f"{count(cost)}, {percent(part)} of the dense network's" if part else count(cost)))
    if found.latency_ms is not None:
        lines.append(("latency", _latency(found, found.latency_ms)))
    speeds = [(found.speedup_1, "batch of 1"), (found.speedup_64, "batch of 64")]
    measured = [f"{speed:.2f} ({batch})" for speed, batch in speeds if speed is not None]
    return [*lines, ("speed-up", ", ".join(measured))] if measured else lines


def brief_lines(found: BestSubnetwork) -> list[tuple[str, str]]:
    """What the sentence does not say, in as few lines as possible: widths, cost, speed, and how many are as good."""
    cost = dict(cost_lines(found))
    lines = [("widths", cost["widths"])] if "widths" in cost else []
    whose, costs = " of the dense network's", []
    for name, number, part in _costs(found):
        costs.append(f"{count(number)} {name} ({percent(part)}{whose})" if part else f"{count(number)} {name}")
        whose = ""
    if costs:
        lines.append(("cost", " and ".join(costs)))
    lines += [(name, cost[name]) for name in ("latency", "speed-up") if name in cost]
    return lines if found.budget.max_drop is not None else [*lines, ("as good", _as_good(found))]


def error_lines(found: BestSubnetwork) -> list[tuple[str, str]]:
    """What error it is expected to have, and beside what: label and value of each line."""
    corrected = "" if found.corrected else f", mean of {counted(found.n_seeds, 'run')}, not corrected for selection"
    metric = found.metric
    lines = [(f"dense {metric.label}", _known(found.dense_error, found))]
    lines.append((f"expected {metric.label}", f"{_interval(found.expected, metric)}{corrected}"))
    lines.append(("drop", _difference(found.drop, metric)))
    if found.uniform is not None:
        lines.append(("versus uniform", f"{_difference(found.versus_uniform, metric)}{_uniform_mean(found)}"))
    if found.budget.max_drop is None:
        lines.append(("as good", _as_good(found)))
    return lines


def _costs(found: BestSubnetwork) -> list[tuple[str, int, float | None]]:
    """Name, number and fraction of the dense network's, of the costs that are known."""
    costs = (("FLOPs", found.flops, found.flops_fraction), ("parameters", found.params, found.params_fraction))
    return [(name, cost, part) for name, cost, part in costs if cost is not None]


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
    if found.uniform_error is None:
        return ""
    where = "with a similar number of parameters" if found.regime is None else f"at {share(found.regime)} of the FLOPs"
    return f"; mean of uniform pruning {where}: {_interval(found.uniform_error, found.metric)}"


def _error(found: BestSubnetwork, expected: Interval) -> str:
    metric = found.metric
    name = metric.label if found.split == "validation" else f"{found.split} {metric.label}"
    if found.corrected:
        return f"Its expected {name} is {_interval(expected, metric)}"
    seeds = counted(found.n_seeds, "run")
    return f"Its {name} is {metric.value(expected.value)} ({seeds}, not corrected for selection)"


def _differences(found: BestSubnetwork) -> str:
    metric, parts = found.metric, []
    if found.drop is not None:
        above = found.drop if metric.sign > 0 else _negated(found.drop)
        parts.append(f"{_above_or_below(above, metric)} the dense network ({_known(found.dense_error, found)})")
    if found.versus_uniform is not None and found.uniform_error is not None:
        mean = _known(found.uniform_error.value, found)
        parts.append(f"{_above_or_below(found.versus_uniform, metric)} the mean of uniform pruning ({mean})")
    return f", {' and '.join(parts)}" if parts else ""


def _above_or_below(difference: Interval, metric: Metric) -> str:
    """A difference in words, with its interval where that is known."""
    above = difference.value >= 0
    size = difference if above else _negated(difference)
    digits = _digits(size, metric)
    verdict = ", not significant" if size.low <= 0 else ""
    low, high = (metric.number(bound, digits) for bound in (size.low, size.high))
    bounds = f" ({low} to {high}{verdict})" if math.isfinite(size.low) else ""
    return f"{_with_unit(size.value, digits, metric)}{bounds} {'above' if above else 'below'}"


def _negated(interval: Interval) -> Interval:
    return Interval(-interval.value, -interval.high, -interval.low, interval.level)


def _digits(interval: Interval, metric: Metric) -> int:
    """Decimals that show the value with 3 significant digits and the width of its interval with 2."""
    width = decimals([interval.high - interval.low], 2)
    return metric.digits(interval.value) if metric.is_fraction else max(metric.digits(interval.value), width)


def _with_unit(difference: float, digits: int, metric: Metric) -> str:
    return f"{metric.number(difference, digits)} {metric.difference_words}".strip()


def _interval(interval: Interval | None, metric: Metric) -> str:
    """A value with its unit; its confidence interval where that is known."""
    if interval is None:
        return "unknown"
    digits = _digits(interval, metric)
    value = metric.value(interval.value, digits)
    if not math.isfinite(interval.low):
        return value
    bounds = f"{metric.number(interval.low, digits)} to {metric.value(interval.high, digits)}"
    return f"{value} ({share(interval.level)} confidence interval {bounds})"


def _difference(interval: Interval | None, metric: Metric) -> str:
    """A difference in its unit with its sign; its interval where that is known."""
    if interval is None:
        return "unknown"
    digits = _digits(interval, metric)
    value = f"{'+' * (interval.value > 0)}{_with_unit(interval.value, digits, metric)}"
    if not math.isfinite(interval.low):
        return value
    return f"{value} ({metric.number(interval.low, digits)} to {metric.number(interval.high, digits)})"


def _known(value: float | None, found: BestSubnetwork) -> str:
    """A value that is printed beside the expected one, with as many decimals."""
    if value is None or found.expected is None:
        return "unknown"
    return found.metric.value(value, _digits(found.expected, found.metric))


def _capitalised(text: str) -> str:
    # mIoU and its like keep their capitals
    return text if text[1:2].isupper() else text[:1].upper() + text[1:]


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]
