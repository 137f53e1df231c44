"""Direction, unit and range of metrics that are known by name, for tables of results that others published."""

from __future__ import annotations

import math
from typing import Any

from prunestats.errors import InputError
from prunestats.metric import ERROR, Direction, Metric

KNOWN: dict[str, Metric] = {
    "error": ERROR,
    **{
        name: Metric(name, "maximize", "fraction", 0.0, 1.0)
        for name in ("accuracy", "top1", "top5", "miou", "iou", "map", "dice", "f1", "auc", "auroc")
    },
    "psnr": Metric("psnr", "maximize", "dB"),
    "ssim": Metric("ssim", "maximize", "", -1.0, 1.0),
    "bleu": Metric("bleu", "maximize", "", 0.0, 100.0),
    "r2": Metric("r2", "maximize", "", None, 1.0),
    "perplexity": Metric("perplexity", "minimize", "", 1.0),
    **{name: Metric(name, "minimize", "nats", 0.0) for name in ("loss", "cross_entropy", "nll")},
    **{name: Metric(name, "minimize", "", 0.0) for name in ("mae", "mse", "rmse", "fid")},
    **{name: Metric(name, "minimize", "fraction", 0.0) for name in ("wer", "cer")},
}
"""Metrics by their usual names in lower case.

A range holds for every value that can be computed: a perplexity is the exponential of a cross-entropy, which is 0 or
more; a word error rate exceeds 1 where words are inserted; a structural similarity lies between -1 and 1
as a correlation does.
"""

RESERVED = frozenset(
    (
        *("study", "original", "network", "dataset", "original_seed", "original_flops", "original_params"),
        *("original_ratio", "space", "regime", "tolerance", "draw", "subnetwork", "widths", "layer_params", "flops"),
        *("params", "flops_fraction", "buckets", "ratio", "protocol", "protocol_key", "planned", "seed", "state"),
        *("epochs", "wall_s", "failure", "host", "platform", "python", "versions", "created_at", "flops_convention"),
        *("latency_ms_1", "latency_ms_64", "speedup_1", "speedup_64", "metric", "metrics", "val_metric", "test_metric"),
        *("direction", "epoch", "n_runs", "log_cross_entropy"),
    )
)
"""Columns of a results frame or of an export, whose names a metric cannot have."""


def named_metric(
    name: str,
    direction: str | None = None,
    unit: str | None = None,
    bounds: tuple[float | None, float | None] | None = None,
) -> Metric:
    """Metric of a name; what is not given is that of the known metric of this name.

    Parameters
    ----------
    name : str
    direction : {"minimize", "maximize"}, optional
        Whether lower or higher values are better; required where the name is not in `KNOWN`.
    unit : str, optional
        Unit of the values; "fraction" for values that are printed as percentages.
    bounds : (float or None, float or None), optional
        Lowest and highest possible value, None where there is none.

    Returns
    -------
    Metric

    Raises
    ------
    InputError
        For the name of another column, an unknown direction or none, and bounds that are no interval.

    Examples
    --------
    >>> named_metric("psnr")
    Metric(name='psnr', direction='maximize', unit='dB', low=None, high=None)
    >>> named_metric("ppl", "minimize").unit
    ''
    """
    _check_name(name)
    usual = KNOWN.get(name.lower())
    if usual is ERROR:
        return _error(direction, unit, bounds)
    return Metric(
        name=name,
        direction=_direction(name, direction, usual),
        unit=unit if unit is not None else "" if usual is None else usual.unit,
        **_bounds(name, bounds, unit, usual),
    )


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not name.strip() or name != name.strip():
        raise InputError(f"expected the name of a metric; found {name!r}: name it, for example perplexity")
    if name in RESERVED or name.startswith(("val_", "test_")):
        why = "is a column of results" if name in RESERVED else "names a split"
        raise InputError(f"expected a name of its own for the metric; found {name!r}, which {why}: choose another")


def _error(direction: str | None, unit: str | None, bounds: object) -> Metric:
    if direction not in (None, "minimize"):
        raise InputError(
            f"expected error to be minimised, as it is 1 - top-1 accuracy; found {direction!r}: name the metric "
            "accuracy"
        )
    if unit not in (None, "fraction") or bounds is not None:
        found = "another range" if unit in (None, "fraction") else f"the unit {unit!r}"
        raise InputError(
            f"expected error as a fraction between 0 and 1, as it is stored; found {found}: leave it out, and say by "
            "the unit of errors whether the table has percentages"
        )
    return ERROR


def _direction(name: str, given: str | None, usual: Metric | None) -> Direction:
    if given is None and usual is not None:
        return usual.direction
    if given == "minimize":
        return "minimize"
    if given == "maximize":
        return "maximize"
    found = "none" if given is None else repr(given)
    raise InputError(
        f"expected the direction of {name}, minimize or maximize; found {found}: pass minimize where lower values are "
        "better, maximize where higher ones are"
    )


def _bounds(
    name: str, given: tuple[float | None, float | None] | None, unit: str | None, usual: Metric | None
) -> dict[str, Any]:
    if given is None:
        # the usual range is that of the usual unit: an mIoU in percent is not at most 1
        if usual is None or (unit is not None and unit != usual.unit):
            return {}
        return {"low": usual.low, "high": usual.high}
    low, high = (None if bound is None or math.isinf(bound) else float(bound) for bound in given)
    if (low is not None and math.isnan(low)) or (high is not None and math.isnan(high)):
        raise InputError(f"expected numbers as the range of {name}; found nan: pass LOW:HIGH, for example 0:1")
    if low is not None and high is not None and not low < high:
        raise InputError(f"expected a range of {name} from low to high; found {low:g} to {high:g}: exchange them")
    return {"low": low, "high": high}
