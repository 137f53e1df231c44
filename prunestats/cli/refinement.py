"""The commands `refine` and `head-to-head`: refine the space of a study, and compare it with its initial space."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from prunestats.cli.analysis import (
    Bucket,
    Level,
    Regime,
    Seed,
    Split,
    finite_or_none,
    interval_columns,
    load_runs,
    print_note,
    record_analysis,
)
from prunestats.cli.headings import print_heading
from prunestats.cli.options import Db, Form, RefinementName, StudyFile, app
from prunestats.cli.response import RecordedResponse, Response
from prunestats.cli.run_choice import OneDataset, OneProtocol, Originals, RunChoice
from prunestats.cli.terminal import print_rows, say
from prunestats.errors import InputError
from prunestats.metric import metric_of
from prunestats.wording import share


@app.command()
def refine(
    study: StudyFile,
    db: Db = "prunestats.db",
    regime: Annotated[
        float | None,
        typer.Option(
            help="Regime to refine: FLOPs budget, as a fraction of the original's. Required where there are several."
        ),
    ] = None,
    dataset: OneDataset = None,
    original: Originals = None,
    protocol: OneProtocol = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="Study file to write. Default: STUDY-refined-REGIME.toml beside the study file."
        ),
    ] = None,
    response: RecordedResponse = None,
    bucket: Bucket = 1,
    subnetworks: Annotated[
        int | None,
        typer.Option(min=2, help="Subnetworks per population of the new study. Default: as in the study file."),
    ] = None,
    seed: Seed = 0,
) -> None:
    """Write the study that tests a regime's optimal ratio on newly sampled subnetworks.

    It compares the initial space with one refined around the optimum, and with a control band of equal share.

    An optimum at the edge or a trend gives a one-sided refinement; a flat or undecided regime gives no study.
    """
    from prunestats.runners.study.file import read_study
    from prunestats.runners.study.refined import refined_study

    content = read_study(study)
    if regime is None and len(content.regimes.flops) > 1:
        known_regimes = ", ".join(f"{value:g}" for value in content.regimes.flops)
        raise InputError(f"one regime at a time is refined; found {known_regimes} in the study: choose with --regime")
    chosen = content.regimes.flops[0] if regime is None else regime
    initial = content.spaces[0].name
    options, choice = {"response": response, "bucket": bucket}, RunChoice(dataset, original, protocol)
    loaded = load_runs(db, content.name, [chosen], [initial], "validation", options, choice)
    made = refined_study(
        content,
        loaded.frame,
        regime=chosen,
        response=loaded.response,
        bucket=bucket,
        subnetworks=subnetworks,
        seed=seed,
    )
    name = metric_of(loaded.frame, loaded.response).label
    what = f"optimal ratio for {name} in space {initial} at {share(chosen)} of the FLOPs"
    print_heading(loaded, "are fixed effects", f"{what}, and the space refined around it", "table")
    for reason in made.refinement.reasons:
        say(f"- {reason}")
    if made.text is None:
        say("No study was written.")
        return
    file = output or study.with_name(f"{study.stem}-refined-{chosen:g}.toml")
    if file.exists():
        raise InputError(f"the study file must be new; found {file}, which is left as it is: name another with -o")
    file.write_text(made.text, encoding="utf-8")
    say(f"Wrote {file}. Read it, then: prunestats run {quote(str(file))} --db {quote(db)}")


@app.command("head-to-head")
def head_to_head(
    db: Db = "prunestats.db",
    study: RefinementName = None,
    regime: Regime = None,
    dataset: OneDataset = None,
    original: Originals = None,
    protocol: OneProtocol = None,
    split: Split = "test",
    response: Response = "error",
    k: Annotated[
        int,
        typer.Option(
            "-k", min=1, help="Subnetworks of the first space whose expected best the other spaces must reach."
        ),
    ] = 100,
    level: Level = 0.95,
    seed: Seed = 0,
    form: Form = "table",
) -> None:
    """Compare each space of a study with its first one: probability of being better, samples saved."""
    import numpy as np

    from prunestats.db import declaration, open_database, read
    from prunestats.refinement.gain import head_to_head as contest

    chosen = {"response": response, "k": k, "level": level, "seed": seed}
    choice, regimes = RunChoice(dataset, original, protocol), None if regime is None else [regime]
    loaded = load_runs(db, study, regimes, None, split, chosen, choice, refining=True)
    response, metric = loaded.response, metric_of(loaded.frame, loaded.response)
    spaces = list(dict.fromkeys(loaded.frame["space"]))
    if len(spaces) < 2:
        raise InputError(f"a comparison needs two spaces; found {spaces[0]} alone: refine a study first")
    found = {}
    for fraction, runs in loaded.regimes():
        initial = runs[runs["space"] == spaces[0]]
        for space in spaces[1:]:
            other = runs[runs["space"] == space]
            rng = np.random.default_rng(seed)
            found[fraction, space] = contest(initial, other, response=response, k=k, level=level, rng=rng)
    columns = ("p_better", "low", "high", "k", "times_fewer", "times_low", "times_high", "saves")
    rows = [
        (
            *where,
            *interval_columns(one.p_better),
            one.saving.k,
            *interval_columns(one.saving.factor),
            "yes" if one.saving.saves else "no",
        )
        for where, one in found.items()
    ]
    what = f"probability that a space has the {metric.better} {metric.label} than space {spaces[0]}, and how many times"
    fewer = f"fewer subnetworks it needs for the same expected best, with {share(level)} confidence intervals"
    print_heading(loaded, "are strata", f"{what} {fewer}", form)
    print_rows(("regime", "space", *columns), rows, form)
    engine = open_database(db, create=False)
    with read(engine) as connection:
        print_note(declaration(connection, loaded.parameters["study"]).words, form)
    engine.dispose()
    for (fraction, space), one in found.items():
        print_note(f"{fraction:g}, {space}: {one.saving.words}", form)
        for sentence in one.notes:
            print_note(f"{fraction:g}, {space}: {sentence}", form)
    record_analysis(
        loaded,
        "head-to-head",
        [
            {"regime": finite_or_none(fraction), "space": space, **one.to_dict()}
            for (fraction, space), one in found.items()
        ],
    )
