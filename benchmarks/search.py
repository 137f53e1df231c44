"""Search at equal compute: ``python -m benchmarks.search [REPETITIONS] [FLOPS]`` (needs ``pip install optuna``).

Each repetition has its own original (another seed). All search methods have the same budget of full trainings and
select on the validation split: search and random search by `rank_subnetworks`, TPE by the loss, whose objective should
be continuous. Each is evaluated by the mean test error of its winner over seeds not used for selection.
"""

from __future__ import annotations

import copy
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import torch
import torch_pruning as tp
from scipy import stats

from prunestats.cli.terminal import print_rows
from prunestats.db import load_results
from prunestats.noise.choice import rank_subnetworks
from prunestats.runners.execution.study_plan import plan_originals
from prunestats.runners.execution.worker import prepare_original, run_task, train_subnetwork
from prunestats.runners.networks.weights import weights_file, weights_folder
from prunestats.runners.run import run_study
from prunestats.runners.search import search
from prunestats.runners.searching.rounds import uniform_widths
from prunestats.runners.study.file import Study, demo_study_file, parse_study, read_study, study_text
from prunestats.spaces.samplers import Independent
from prunestats.spaces.space import Space

# Full trainings for selection, a round number as in the example of docs/search.md.
SELECTION_TRAININGS = 40

# Seeds of each evaluation: more would reduce the noise of training seeds and take longer.
CONFIRM_SEEDS = 4

# At a successive-halving factor of 3 this gives rungs of 2 and 6 epochs.
EPOCHS = 6

# Relative FLOPs tolerance, as in the demo's study.
TOLERANCE = 0.02

# Runs of the study from which the refined search estimates an optimum: twice the demo's population.
EARLIER_RUNS = 120


def main(repetitions: int, flops: float) -> None:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        done = list(pool.map(_repetition, range(repetitions), [flops] * repetitions))
    found = [one[0] for one in done]
    methods = list(found[0])
    errors = {method: np.array([one[method] for one in found]) for method in methods}
    rows = []
    for method in methods:
        difference = errors[method] - errors["search"]
        reach = stats.t.ppf(0.975, repetitions - 1) * stats.sem(difference) if method != "search" else np.nan
        mean = difference.mean()
        rows.append((method, *(100 * number for number in (errors[method].mean(), mean, mean - reach, mean + reach))))
    print(
        f"Digits at {flops:g} of the FLOPs: {SELECTION_TRAININGS} trainings of {EPOCHS} epochs for selection, "
        f"{repetitions} originals; test error in percent over {CONFIRM_SEEDS} new seeds, and difference from `search` "
        "(95 %, paired)"
    )
    print_rows(("method", "test error", "difference from search", "low", "high"), rows)
    refined = sum(one[1] for one in done)
    showed = f"In {refined} of {repetitions} repetitions the study of {EARLIER_RUNS} runs showed an optimum"
    print(f"{showed} by which to refine.")


def _repetition(number: int, flops: float) -> tuple[dict[str, float], bool]:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        db = Path(name) / "search.db"
        return _winners_errors(_study(number, flops), db, number, flops)


def _winners_errors(study: Study, db: Path, number: int, flops: float) -> tuple[dict[str, float], bool]:
    """Test error of each method's winner, and whether the earlier study had an optimum by which to refine."""
    budget = {"budget": SELECTION_TRAININGS + 2 * CONFIRM_SEEDS, "confirm_seeds": CONFIRM_SEEDS, "workers": 0}
    found = search(study, db, flops=flops, **budget)
    selected = {"search": list(found.widths)}
    run_study(study, db, workers=0)
    refined = search(study, db, flops=flops, seed=1, **budget)
    selected[f"search, refined by {EARLIER_RUNS} runs before"] = list(refined.widths)
    original = plan_originals(study)[1][0]
    weights = weights_file(weights_folder("sqlite", str(db)), original.task.key).read_bytes()
    prepared = prepare_original(original.task, weights)
    selected["random search"] = _random(study, db)
    selected["Optuna's TPE"] = _tpe(study, original, weights, number)
    uniform = uniform_widths(original.cost, Space("uniform", Independent()), study.regime_bands[0])
    assert uniform is not None
    selected["uniform pruning"] = uniform
    selected["global magnitude (Torch-Pruning)"] = _global_magnitude(prepared, original, flops)
    errors = {method: _confirmed(study, original, weights, widths) for method, widths in selected.items()}
    return errors, refined.space != found.space


def _study(number: int, flops: float) -> Study:
    demo = read_study(demo_study_file())
    content = demo.model_dump(mode="json", exclude_none=True)
    content |= {
        "name": f"bench {number}",
        "seed": 1_000 * number,
        "originals": [content["originals"][0] | {"seeds": [number]}],
        "regimes": {"flops": [flops], "tolerance": TOLERANCE},
        "spaces": content["spaces"][:1],
        "population": {"subnetworks": EARLIER_RUNS},
        "protocol": content["protocol"] | {"epochs": EPOCHS},
    }
    return parse_study(study_text(content))


def _random(study: Study, db: Path) -> list[int]:
    content = study.model_dump(mode="json", exclude_none=True)
    content |= {"name": "random", "seed": study.seed + 500, "population": {"subnetworks": SELECTION_TRAININGS}}
    run_study(parse_study(study_text(content)), db, workers=0)
    frame = load_results(db, study="random", split="validation")
    winner = rank_subnetworks(frame).index[0]
    return list(frame.loc[frame["subnetwork"] == winner, "widths"].iloc[0])


def _tpe(study: Study, original: Any, weights: bytes, number: int) -> list[int]:
    """Widths selected by TPE over keep ratios, which are scaled by a common factor to the FLOPs."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    tried: dict[int, list[int]] = {}

    def loss(trial: optuna.Trial) -> float:
        keeps = np.array([trial.suggest_float(f"keep_{g}", 0.05, 1.0) for g in range(original.cost.n_groups)])
        widths = _scaled(original.cost, keeps, study.regimes.flops[0])
        if widths is None:
            raise optuna.TrialPruned
        tried[trial.number] = widths
        return float(_train(study, original, weights, widths, seed=900).val_loss)

    made = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=number, multivariate=True))
    while len(tried) < SELECTION_TRAININGS:
        made.optimize(loss, n_trials=1)
    return tried[made.best_trial.number]


def _scaled(cost: Any, keeps: Any, flops: float) -> list[int] | None:
    factors = np.geomspace(0.1, 20, 2001)[:, None]
    widths = np.clip(np.rint(factors * keeps * cost.sizes), np.ceil(0.05 * cost.sizes), cost.sizes).astype(np.int64)
    share = cost.flops(widths) / cost.flops(cost.sizes)[0]
    best = int(np.argmin(np.abs(share - flops)))
    return widths[best].tolist() if abs(share[best] / flops - 1) <= TOLERANCE else None


def _global_magnitude(prepared: Any, original: Any, flops: float) -> list[int]:
    """Widths of Torch-Pruning's global magnitude ranking with FLOPs nearest to the target."""
    best: tuple[float, list[int]] = (np.inf, [])
    for ratio in np.linspace(0.02, 0.9, 89):
        network = copy.deepcopy(prepared.network)
        heads = [module for module in network.modules() if isinstance(module, torch.nn.Linear)]
        pruner = tp.pruner.MagnitudePruner(
            network, prepared.data.example_input, tp.importance.GroupMagnitudeImportance(p=1),
            global_pruning=True, pruning_ratio=float(ratio), ignored_layers=heads,
        )  # fmt: skip
        pruner.step()
        modules = dict(network.named_modules())
        widths = [modules[group.name].out_channels for group in prepared.trace.groups]
        share = float(original.cost.flops(widths)[0] / original.flops)
        best = min(best, (abs(share / flops - 1), widths))
    return best[1]


def _train(study: Study, original: Any, weights: bytes, widths: list[int], seed: int) -> Any:
    task = run_task(original.task.key, str(widths), 0, widths, study.protocol.parameters, seed)
    return train_subnetwork(task, original.task, weights)[0]


def _confirmed(study: Study, original: Any, weights: bytes, widths: list[int]) -> float:
    outcomes = [_train(study, original, weights, widths, 1_000 + index) for index in range(CONFIRM_SEEDS)]
    return float(np.mean([outcome.test_error for outcome in outcomes]))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10, float(sys.argv[2]) if len(sys.argv) > 2 else 0.25)
