"""The command `transfer`: meta-regression of optima on the ratio of the original, and prediction for a new one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from prunestats.cli.analysis import (
    Bucket,
    Level,
    PooledSpaces,
    Regimes,
    Seed,
    Split,
    finite_or_none,
    load_runs,
    print_note,
    record_analysis,
    save_plot,
)
from prunestats.cli.headings import print_heading
from prunestats.cli.options import Db, Form, StudyName, app
from prunestats.cli.response import RecordedResponse
from prunestats.cli.run_choice import OneDataset, OneProtocol, Originals, RunChoice
from prunestats.cli.terminal import print_rows
from prunestats.errors import InputError
from prunestats.metric import metric_of
from prunestats.wording import share

if TYPE_CHECKING:
    from prunestats.conjectures.transfer_result import PredictedOptimum, Transfer

_GIVEN = "ratio {:g}"
_FOUND = ("ratio", "low", "high")
_SEEN = ("n_subnetworks", "ratio_min", "ratio_max", "r2", "r2_widths")
_COLUMNS = ("original", "original_ratio", "regime", "verdict", *_FOUND, "n_originals", *_SEEN)


@app.command()
def transfer(
    db: Db = "prunestats.db",
    study: StudyName = None,
    network: Annotated[
        list[str] | None,
        typer.Option(help="Predict the optimum of this network, for images of the study's size; may be repeated."),
    ] = None,
    ratio: Annotated[
        list[float] | None,
        typer.Option(help="Predict the optimum of an original with this FLOPs-to-bucket ratio; may be repeated."),
    ] = None,
    regime: Regimes = None,
    space: PooledSpaces = None,
    dataset: OneDataset = None,
    original: Originals = None,
    protocol: OneProtocol = None,
    split: Split = "validation",
    response: RecordedResponse = None,
    bucket: Bucket = 1,
    level: Level = 0.95,
    seed: Seed = 0,
    form: Form = "table",
    figure: Annotated[
        Path | None,
        typer.Option("--figure", "--plot", help="Also save a figure (.png, .svg, .pdf)."),
    ] = None,
) -> None:
    """Regress the optimal ratio on the original's ratio, and predict it for a new original.

    Originals that differ only by their training seed count as one.
    """
    import numpy as np

    from prunestats.conjectures.transfer import transfer_optimum
    from prunestats.db import open_database
    from prunestats.db.reading.study_record import with_buckets
    from prunestats.reports.figures.transfer import plot_transfer

    chosen = {"response": response, "bucket": bucket, "level": level, "seed": seed, "network": network, "ratio": ratio}
    choice = RunChoice(dataset, original, protocol)
    loaded = load_runs(db, study, regime, space, split, chosen, choice, first=not space, one=["protocol"])
    new = _networks(db, loaded.parameters["study"], network or (), bucket) | {
        f"ratio {one:g}": one for one in ratio or ()
    }
    engine = open_database(db, create=False)
    frame = with_buckets(engine, loaded.frame, bucket)
    engine.dispose()
    found = transfer_optimum(
        frame, bucket=bucket, response=loaded.response, level=level, rng=np.random.default_rng(seed)
    )
    regimes = list(dict.fromkeys(one.regime for one in found.optima))
    predicted = _predicted(found, new, regimes)
    name = metric_of(loaded.frame, loaded.response).label
    what = f"optimal ratio for {name} of each network with its {share(level)} confidence set"
    content = f"{what}, and whether it is associated with the ratio of the original"
    print_heading(loaded, "give one optimum per network", content, form)
    print_rows(_COLUMNS, [*_optima(found), *_rows(predicted)], form)
    for sentence in (*found.reasons, *_without(found)):
        print_note(sentence, form)
    for name in new:
        for sentence in _words(name, [one for where, one in predicted if where == name], found):
            print_note(sentence, form)
    predictions = [{"original": name, **one.to_dict()} for name, one in predicted]
    record_analysis(loaded, "transfer", [{**found.to_dict(), "predictions": predictions}])
    save_plot(figure, lambda: plot_transfer(found, [one for _, one in predicted]))


def _optima(found: Transfer) -> list[tuple[Any, ...]]:
    return [
        (
            *(one.design.name, one.design.ratio, one.regime, one.optimum.verdict),
            *(finite_or_none(getattr(one.optimum, name)) for name in _FOUND),
            *(len(one.design.originals), *(finite_or_none(getattr(one.optimum, name)) for name in _SEEN)),
        )
        for one in found.optima
    ]


def _without(found: Transfer) -> list[str]:
    """The reason why a population has no optimum, one for each."""
    return [
        f"{one.design.name}{'' if one.regime is None else f' at {one.regime:g}'}: {one.optimum.reasons[0]}"
        for one, estimate in zip(found.optima, found.meta.estimates, strict=True)
        if estimate.refusal
    ]


def _rows(predicted: Sequence[tuple[str, PredictedOptimum]]) -> list[tuple[Any, ...]]:
    return [
        (
            name,
            one.ratio,
            one.regime,
            "predicted",
            *(finite_or_none(v) for v in (one.new.value, one.new.low, one.new.high)),
        )
        + (None,) * (1 + len(_SEEN))
        for name, one in predicted
    ]


def _predicted(
    found: Transfer, new: Mapping[str, float], regimes: Sequence[float | None]
) -> list[tuple[str, PredictedOptimum]]:
    """Predictions in every explored regime; none without a fit."""
    if found.meta.fit is None:
        return []
    return [(name, found.predict(ratio, regime=regime)) for name, ratio in new.items() for regime in regimes]


def _words(name: str, predicted: Sequence[PredictedOptimum], found: Transfer) -> list[str]:
    if not predicted:
        return [f"{name}: no prediction, as no line is fitted."]
    said, level = [], found.meta.level
    for one in predicted:
        where = "" if one.regime is None else f", at {one.regime:g} of the FLOPs"
        ratio = "" if name == _GIVEN.format(one.ratio) else f", ratio {one.ratio:.4g}"
        said.append(f"{name}{ratio}{where}: predicted optimum {one.new} ({100 * level:g} % prediction interval).")
    return said + [f"{name}: {sentence}" for sentence in dict.fromkeys(s for one in predicted for s in one.notes)]


def _networks(db: str, study: str, names: Sequence[str], bucket: int) -> dict[str, float]:
    """Ratio of each network, for images of the study's size."""
    if not names:
        return {}
    from prunestats.db import open_database, read, stored_text
    from prunestats.runners.data.datasets import load_data
    from prunestats.runners.networks.builtin import build_network
    from prunestats.runners.pruning.tracing import trace
    from prunestats.runners.study.tables import DataConfig

    engine = open_database(db, create=False)
    with read(engine) as connection:
        text = stored_text(connection, study) or ""
    engine.dispose()
    try:
        config = DataConfig.model_validate(json.loads(text)["data"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"--network needs a study with a data section, for the size of its images; found {study!r}: give --ratio"
        ) from error
    data = load_data(**config.model_dump())
    found = {}
    for name in names:
        network = build_network(name, num_classes=data.num_classes)
        try:
            cost = trace(network, data.example_input).cost
        except RuntimeError as error:
            size = " x ".join(map(str, data.example_input.shape[1:]))
            raise InputError(
                f"{name} must accept the study's images of {size}; found that it does not: give --ratio"
            ) from error
        found[name] = float(cost.ratio([cost.group_sizes], bucket)[0])
    return found
