"""Search for a good subnetwork by successive halving: a sequence of studies, each stored as any other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from prunestats.db import load_results, open_database, read, stored_text
from prunestats.errors import StudyError
from prunestats.metric import metric_of
from prunestats.noise.choice import rank_subnetworks
from prunestats.noise.confirmation import confirm
from prunestats.results.means import subnetwork_means
from prunestats.runners.data.datasets import Data
from prunestats.runners.execution.executors import Executor, lazy_executor
from prunestats.runners.execution.study_plan import PlannedOriginal, network_depth, plan_originals, plan_populations
from prunestats.runners.originals import known_originals
from prunestats.runners.run import Execution, Progress, run_plan
from prunestats.runners.searching.result import Round, SearchResult
from prunestats.runners.searching.rounds import SearchOptions, SearchPlan, candidate_space, search_plan, uniform_widths
from prunestats.runners.study.file import Study, content_key, read_study
from prunestats.sampling.rejection import feasible_band


def search(
    study: str | Path | Study,
    db: str | Path = "prunestats.db",
    *,
    flops: float,
    budget: int,
    network: str | None = None,
    finalists: int = 3,
    finalist_seeds: int = 2,
    confirm_seeds: int = 3,
    eta: int = 3,
    seed: int = 0,
    level: float = 0.95,
    workers: int | None = None,
    scheduler: str | None = None,
    weights: str | Path | None = None,
    progress: Progress = lambda phase, done, total: None,
    on_round: Callable[[str, int, int], None] = lambda study, subnetworks, epochs: None,
) -> SearchResult:
    """Search for a good subnetwork at given FLOPs by successive halving, within a budget of trainings.

    Parameters
    ----------
    study : str, Path or Study
        Its first network with the first seed is pruned; its data, first space and protocol are used.
    db : str or Path
        Results database. Results of the study in it refine the space, and all trainings are stored in it.
    flops : float
        FLOPs as a fraction of the original's.
    budget : int
        Maximum cost in full trainings, confirmation included.
    network : str, optional
        The network of the study to prune, where there are several.
    finalists, finalist_seeds : int
        Subnetworks that are trained again, and new training seeds of each; the least mean validation error wins, as
        `prunestats.noise.choice.rank_subnetworks` ranks.
    confirm_seeds : int
        Further training seeds of the winner and of uniform pruning, from which their test errors are estimated.
    eta : int
        Successive-halving factor: each rung keeps the best 1 / `eta` and trains them `eta` times as long.
    seed : int
        Seed by which candidates are sampled.
    level : float
        Confidence level of the intervals.
    workers, scheduler, weights, progress
        As in `run_study`.
    on_round : callable
        Receives the name, number of subnetworks and epochs of each study before it runs.

    Returns
    -------
    SearchResult

    Raises
    ------
    StudyError, InputError, DatabaseError
        As `run_study`; for a budget that is too small; or where every run of a round fails.

    Notes
    -----
    Candidates are sampled around the optimal ratio where the study's results show one, else from its first space, and
    selected by successive halving over epochs [1]_ on validation error, or the study's own metric. Training seeds for
    selection and for reporting are disjoint, so the test error of the winner is free of the winner's curse; the curse
    is estimated by the difference between the validation errors on new seeds and on the seeds of the selection. Every
    round is a study in the database, and all share one executor; the same call resumes a search that was stopped.

    References
    ----------
    .. [1] K. Jamieson and A. Talwalkar (2016). Non-stochastic best arm identification and hyperparameter optimization.
       AISTATS, figure 3.

    Examples
    --------
    >>> found = search("study.toml", flops=0.25, budget=40)     # doctest: +SKIP
    >>> print(found.test.difference)                            # doctest: +SKIP
    """
    content = study if isinstance(study, Study) else read_study(study)
    options = SearchOptions(flops, budget, network, finalists, finalist_seeds, confirm_seeds, eta, seed)
    planned = search_plan(content, options)
    data, originals = plan_originals(planned.study, known_originals(db))
    cost, regime = originals[0].cost, planned.study.regime_bands[0]
    # before a database is created, so that an impossible search leaves none behind
    feasible_band(cost, regime, planned.space, planned.space.support(cost))
    planned = _with_candidate_space(planned, content, db)
    execution = Execution(workers, scheduler, weights, progress)
    with lazy_executor(workers, scheduler, layers=network_depth(originals)) as pool:
        rounds = _Rounds(planned, db, data, originals, pool, execution, on_round)
        frame = rounds.run(planned.first_rung())
        for number in range(1, len(planned.rungs)):
            frame = rounds.run(planned.later_rung(number, _best(frame, planned.rungs[number].candidates)))
        uniform = uniform_widths(cost, planned.space, regime)
        frame = rounds.run(planned.finalists(_with(_best(frame, options.finalists), uniform)))
        winner = _best(frame, 1)[0]
        fresh = rounds.run(planned.confirmation(_with([winner], uniform)))
    return _result(rounds, winner, uniform, frame, fresh, level)


@dataclass
class _Rounds:
    """Runs the studies of a search one after another, on one executor, one loaded data set and one traced original.

    Parameters
    ----------
    planned : SearchPlan
    db : str or Path
    data : Data
    originals : list of PlannedOriginal
    pool : callable
        Returns the executor.
    execution : Execution
    on_round : callable
    done : list of Round
    trainings : float
        Cost of the rounds that are done, in full trainings.
    """

    planned: SearchPlan
    db: str | Path
    data: Data
    originals: list[PlannedOriginal]
    pool: Callable[[], Executor]
    execution: Execution
    on_round: Callable[[str, int, int], None]
    done: list[Round] = field(default_factory=list)
    trainings: float = 0.0

    def run(self, part: Study) -> pd.DataFrame:
        """Run a round and return its results on the validation split."""
        epochs, seeds, subnetworks = part.protocol.epochs, len(part.protocol.seeds), part.population.subnetworks
        self.on_round(part.name, subnetworks, epochs)
        run_plan(plan_populations(part, self.data, self.originals), self.db, self.pool, self.execution)
        frame = load_results(self.db, study=part.name, split="validation")
        if frame.empty:
            raise StudyError(f"every run of study {part.name!r} failed: `prunestats status` says why")
        metric = metric_of(frame)
        means = subnetwork_means(frame)[metric.name]
        best = float(means.min() if metric.sign > 0 else means.max())
        self.done.append(Round(part.name, epochs, subnetworks, seeds, subnetworks - len(means), best))
        self.trainings += subnetworks * seeds * epochs / self.planned.rungs[-1].epochs
        return frame


def _result(
    rounds: _Rounds,
    winner: list[int],
    uniform: list[int] | None,
    finalists: pd.DataFrame,
    fresh: pd.DataFrame,
    level: float,
) -> SearchResult:
    """The result, from validation errors of the finalists and of the confirmation on fresh seeds."""
    planned, db, last = rounds.planned, rounds.db, rounds.done[-1].study
    keys = dict(zip(fresh["widths"], fresh["subnetwork"], strict=True))
    if tuple(winner) not in keys:
        raise StudyError(f"every run of the winner in study {last!r} failed: `prunestats status` says why")
    key = keys[tuple(winner)]
    uniform_key = None if uniform is None else keys.get(tuple(uniform))
    other = None if uniform_key == key else uniform_key
    tested = load_results(db, study=last, split="test")
    noise = load_results(db, study=rounds.done[-2].study, split="test")
    row = fresh[fresh["subnetwork"] == key].iloc[0]
    return SearchResult(
        name=planned.name,
        winner=key,
        protocol=content_key(planned.study.protocol.parameters),
        widths=tuple(winner),
        flops_fraction=float(row["flops_fraction"]),
        params_fraction=float(row["params"] / row["original_params"]),
        uniform=uniform_key,
        test=confirm(tested, key, other, noise=noise, level=level),
        validation=confirm(fresh, key, other, noise=finalists, level=level),
        val_error_seen=float(finalists.loc[finalists["subnetwork"] == key, metric_of(finalists).name].mean()),
        rounds=tuple(rounds.done),
        trainings=rounds.trainings,
        space=planned.space.law,
        reasons=planned.reasons,
    )


def _with_candidate_space(planned: SearchPlan, study: Study, db: str | Path) -> SearchPlan:
    """The plan with the space of an earlier call of the same search, else with that which the study's results imply."""
    engine = open_database(db, create=True)
    with read(engine) as connection:
        begun = stored_text(connection, f"{planned.name}, rung 1")
        known = stored_text(connection, study.name) is not None
    engine.dispose()
    if begun is not None:
        space = Study.model_validate_json(begun).spaces[0].space()
        return replace(planned, space=space, reasons=("Candidates are those of an earlier call of this search.",))
    results = None
    if known and planned.options.flops in study.regimes.flops:
        results = load_results(db, study=study.name, space=planned.space.name, regime=planned.options.flops)
        results = results[results["network"] == planned.study.originals[0].network]
    space, reasons = candidate_space(planned.space, results)
    return replace(planned, space=space, reasons=reasons)


def _best(frame: pd.DataFrame, count: int) -> list[list[int]]:
    """Widths of the best subnetworks on the validation split, the best first."""
    widths = frame.drop_duplicates("subnetwork").set_index("subnetwork")["widths"]
    return [list(widths[key]) for key in rank_subnetworks(frame).index[:count]]


def _with(widths: list[list[int]], another: list[int] | None) -> list[list[int]]:
    return widths if another is None or another in widths else [*widths, another]
