"""The SQL cookbook: every query gives the answer below it, on both databases.

`PRUNESTATS_WRITE_DOCS=1 pytest tests/db/sql/test_cookbook.py` regenerates the answers.
"""

import math
import os
import random
import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import pytest

import prunestats as ps
from prunestats.cli.terminal import print_table
from prunestats.cost.model import CostModel, Layer
from prunestats.db import (
    EpochMetric,
    OriginalRow,
    Outcome,
    SubnetworkRow,
    load_results,
    missing_runs,
    open_database,
    query,
    store_analysis,
    store_environment,
    store_original,
    store_outcomes,
    store_plan,
    store_population,
    store_protocol,
    store_regime,
    store_space,
    store_study,
    write,
)

PAGE = Path(__file__).parents[3] / "docs" / "sql-cookbook.md"
BLOCK = re.compile(r"(?:```sql\n.*?```\n+)+(?:```text\n.*?```\n)?", re.DOTALL)
RECIPE = re.compile(r"### ([^\n]+)\n(.*?)(?=\n#|\Z)", re.DOTALL)
GROUPS = ("stage1.a", "stage1.b", "stage2.a", "stage2.b", "stage3")
SIZES = (16, 16, 32, 32, 64)
PIXELS = (256, 256, 64, 64, 16)
REGIMES = (0.5, 0.25, 0.1)


def cost_model():
    before = [(), *(((group, 1),) for group in range(4))]
    convolutions = [
        Layer(name, "Conv2d", before[g], 3 if g == 0 else 0, ((g, 1),), 0, 9 * PIXELS[g], 0, 9, 2)
        for g, name in enumerate(GROUPS)
    ]
    return CostModel(GROUPS, SIZES, (*convolutions, Layer("linear", "Linear", ((4, 1),), 0, (), 10, 1, 0, 1, 1)))


COST = cost_model()
FLOPS, PARAMS = COST.flops(COST.sizes).item(), COST.params(COST.sizes).item()


def draw_widths(chance, regime, least, n):
    """Different widths in the band by rejection, and how many were proposed; `random` gives the same for ever."""
    found, attempts = {}, 0
    while len(found) < n:
        attempts += 500
        rows = [[1 + int(chance.random() * size) for size in SIZES] for _ in range(500)]
        flops = COST.flops(rows) / FLOPS
        for row, share in zip(rows, flops, strict=True):
            if abs(share / regime - 1) <= 0.05 and row[4] >= least * SIZES[4] and len(found) < n:
                found[tuple(row)] = None
    return list(found), attempts


def outcome_of(chance, widths, seed, original_seed):
    """An error that is least at a ratio of 30, and a training that comes to it."""
    flops, params = COST.flops([widths]).item(), COST.params([widths]).item()
    if chance.random() < 0.03 or widths[4] < 3:
        return Outcome("failed", wall_s=1.5, failure="DivergedError: training loss became nan in epoch 1")
    if chance.random() < 0.01:
        return Outcome("failed", failure="KilledWorker: its worker died 3 times")
    own = random.Random(repr(widths)).random()
    true = 0.03 + 0.01 * math.log(FLOPS / flops) + 0.01 * math.log(flops / params / 30) ** 2 + 0.02 * own
    true += 0.004 * original_seed + 0.008 * (chance.random() - 0.5)
    val, test = (round((true + shift + 0.012 * (chance.random() - 0.5)) * 360) / 360 for shift in (0.0, 0.004))
    start = min(0.9, 0.2 + 4 * true)
    course = [start, *(val + (start - val) * math.exp(-(1 + own) * epoch) for epoch in (1, 2, 3, 4)), val]
    log = tuple(EpochMetric(e, None if e == 0 else 2 * error, error, 3 * error) for e, error in enumerate(course))
    wall_s = 20 + 40 * flops / FLOPS + 2 * chance.random()
    return Outcome("done", val, test, 3 * val, 3 * test, 2 * val, 5, wall_s, None, log)


def store_sample_study(url):
    """A study of two originals, three regimes, two spaces and two seeds, without any training."""
    engine = open_database(url)
    with write(engine) as connection:
        study = store_study(connection, name="smallnet", text="", fingerprint="f", seed=0)
        hosts = [
            store_environment(connection, host=host, platform="Linux", python="3.11.7", versions={"torch": "2.4"})
            for host in ("lab-1", "lab-2")
        ]
        regimes = [store_regime(connection, study_id=study, flops_fraction=r, tolerance=0.05) for r in REGIMES]
        spaces = [
            store_space(connection, study_id=study, name=name, sampler="independent", parameters={}, law="uniform")
            for name in ("initial", "refined")
        ]
        protocol = store_protocol(connection, key="p", name="finetune", parameters={"epochs": 5})
        store_plan(connection, study_id=study, protocol_id=protocol, seeds=(0, 1))
        for original_seed in (0, 1):
            original = store_original(
                connection,
                OriginalRow(
                    key=f"smallnet-{original_seed}",
                    network="smallnet",
                    dataset="digits",
                    seed=original_seed,
                    group_names=GROUPS,
                    group_sizes=SIZES,
                    cost=COST.to_dict(),
                    flops=FLOPS,
                    params=PARAMS,
                    val_error=0.025,
                    test_error=0.03,
                ),
            )
            chance = random.Random(5)
            for place, regime in enumerate(REGIMES):
                first, attempts = draw_widths(chance, regime, 0.0, 40)
                # the refined space draws two of the subnetworks again
                again = [row for row in first if row[4] >= 32][:2]
                second, more = draw_widths(chance, regime, 0.5, 40)
                second = list(dict.fromkeys([*again, *second]))[:40]
                for space, rows, tried in ((spaces[0], first, attempts), (spaces[1], second, more)):
                    costs = zip(COST.flops(rows).tolist(), COST.params(rows).tolist(), strict=True)
                    store_population(
                        connection,
                        study_id=study,
                        original_id=original,
                        regime_id=regimes[place],
                        space_id=space,
                        attempts=tried,
                        accepted=len(rows),
                        duplicates=0,
                        subnetworks=[
                            SubnetworkRow(f"{original_seed}-{'-'.join(map(str, row))}", row, flops, params)
                            for row, (flops, params) in zip(rows, costs, strict=True)
                        ],
                    )
        store_sample_runs(connection, study, protocol, hosts)
        analysis = {"study_id": study, "rows_hash": "h", "versions": {}, "parameters": {"regime": 0.5}}
        store_analysis(connection, **analysis, kind="optimum", n_rows=160, result={"verdict": "interior"})
        store_analysis(connection, **analysis, kind="compare", n_rows=320, result={})
    engine.dispose()


def store_sample_runs(connection, study, protocol, hosts):
    """All runs but the last ten; those on the second machine take twice as long."""
    chance = random.Random(7)
    runs = []
    for number, run in enumerate(missing_runs(connection, study_id=study, protocol_id=protocol, seeds=(0, 1))[:-10]):
        outcome = outcome_of(chance, run.widths, run.seed, int(run.original_key[-1]))
        host = None if outcome.failure and "Killed" in outcome.failure else hosts[number % 3 == 0]
        if number % 3 == 0 and outcome.state == "done":
            outcome = Outcome(**{**vars(outcome), "wall_s": 2 * outcome.wall_s})
        key = {"subnetwork_id": run.subnetwork_id, "protocol_id": protocol, "seed": run.seed, "environment_id": host}
        runs.append((key, outcome))
    store_outcomes(connection, runs)
    for day, condition in ((2, "id <= 600"), (3, "id > 600")):
        connection.exec_driver_sql(f"UPDATE run SET created_at = '2026-03-0{day} 10:00:00' WHERE {condition}")


def recipes():
    """From question to its queries, by kind of database, and the answer that the page shows."""
    found = {}
    for question, body in RECIPE.findall(PAGE.read_text(encoding="utf-8")):
        texts = re.findall(r"```sql\n(.*?)```", body, re.DOTALL)
        shown = re.search(r"```text\n(.*?)```", body, re.DOTALL)
        assert len(texts) in {1, 2}, question
        if len(texts) == 2:
            assert [text.split("\n")[0] for text in texts] == ["-- SQLite", "-- PostgreSQL"], question
        found[question] = (texts[0], texts[-1], shown[1] if shown else "")
    return found


RECIPES = recipes()


@pytest.fixture(scope="module")
def databases(tmp_path_factory, server):
    urls = (str(tmp_path_factory.mktemp("cookbook") / "results.db"), server.new_database())
    for url in urls:
        store_sample_study(url)
    if "PRUNESTATS_WRITE_DOCS" in os.environ:
        write_answers(urls[0])
    yield urls
    server.drop(urls[1])


def rounded(value):
    """Four digits, alike on both databases."""
    if isinstance(value, float):
        # beyond the last digits of a sum lies only noise
        value = 0.0 if abs(value) < 1e-12 else float(f"{value:.4g}")
        return int(value) if value.is_integer() else value
    return value.replace(" ", "") if isinstance(value, str) and value.startswith("[") else value


def as_text(answer):
    text = StringIO()
    with redirect_stdout(text):
        print_table(answer.columns, [tuple(map(rounded, row)) for row in answer.rows[:12]])
    more = f"... {len(answer.rows) - 12} more rows\n" if len(answer.rows) > 12 else ""
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n" + more


def write_answers(url):
    text = PAGE.read_text(encoding="utf-8")
    for question, (sql, _, _) in RECIPES.items():
        block = BLOCK.search(text, text.index(f"### {question}\n"))
        queries = block[0].split("```text")[0].rstrip("\n")
        answer = f"{queries}\n\n```text\n{as_text(query(url, sql))}```\n\n"
        text = text[: block.start()] + answer + text[block.end() :].lstrip("\n")
    PAGE.write_text(text.rstrip("\n") + "\n", encoding="utf-8")


def test_there_are_twenty_questions_and_no_query_without_one():
    assert len(RECIPES) >= 20
    text = PAGE.read_text(encoding="utf-8")
    assert text.count("```sql") == sum(1 + (here != there) for here, there, _ in RECIPES.values())


@pytest.mark.parametrize("question", RECIPES)
def test_the_page_shows_what_both_databases_answer(databases, question):
    on_sqlite, on_postgresql, shown = recipes()[question]
    answers = [query(databases[0], on_sqlite), query(databases[1], on_postgresql)]
    for answer in answers:
        assert answer.rows
        assert len(set(answer.columns)) == len(answer.columns)
        assert as_text(answer) == shown


def answer_of(databases, question):
    return query(databases[0], RECIPES[question][0], limit=None).rows


def test_best_of_k_is_that_of_the_statistics(databases):
    frame = load_results(databases[0], original="smallnet-0")
    for regime, space, k, best in answer_of(databases, "What is the expected best of k samples?"):
        mine = frame[(frame["regime"] == regime) & (frame["space"] == space)]
        errors = mine.groupby("subnetwork")["error"].mean().to_numpy()
        assert best == pytest.approx(float(np.ravel(ps.best_of(errors, k=[k]).value)[0]), rel=1e-9)


def test_rank_correlation_is_that_of_scipy(databases):
    from scipy.stats import spearmanr

    means = load_results(databases[0], original="smallnet-0").groupby(["regime", "space", "subnetwork"])
    means = means[["val_error", "test_error"]].mean().reset_index()
    for regime, space, n, correlation in answer_of(databases, "Do validation and test errors rank alike?"):
        mine = means[(means["regime"] == regime) & (means["space"] == space)]
        assert len(mine) == n
        # the closed form leaves ties out of account
        assert correlation == pytest.approx(spearmanr(mine["val_error"], mine["test_error"]).statistic, abs=0.03)


def test_quantiles_are_those_of_the_statistics(databases):
    frame = load_results(databases[0], original="smallnet-0")
    for regime, space, low, median, high in answer_of(databases, "What are the quantiles of a population?"):
        mine = frame[(frame["regime"] == regime) & (frame["space"] == space)]
        edf = ps.edf(mine.groupby("subnetwork")["error"].mean())
        assert [low, median, high] == pytest.approx([float(edf.quantile(q)) for q in (0.1, 0.5, 0.9)], rel=1e-9)
