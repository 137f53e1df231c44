"""Studies with several data sets, protocols and networks: which are refused, which are named, and how to choose."""

import csv
import io

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from prunestats.cli import app
from prunestats.db import import_results
from prunestats.errors import InputError

DATASETS = ("digits-aaaa1111", "digits-bbbb2222")


@pytest.fixture(scope="module")
def call():
    """Run a command in this process, which saves most of the time of a command."""

    def run(*arguments, code=0):
        done = CliRunner().invoke(app, [str(argument) for argument in arguments])
        if code == 2:
            assert isinstance(done.exception, InputError)
            return str(done.exception)
        assert done.exit_code == 0, done.exception
        return done.stdout

    return run


def table(tag, seeds, shift):
    """Results of 48 subnetworks, the same for the same tag; those of a seed do not depend on the other seeds."""
    u = np.random.default_rng(list(tag.encode())).uniform(-0.8, 0.8, 48)
    flops = (np.repeat((0.5, 0.25), 24) * 40 * 10**6).astype(int)
    rows = pd.DataFrame({"subnetwork": [f"{tag} {n}" for n in range(48)], "flops": flops, "space": tag.split()[-1]})
    rows["params"] = np.rint(flops / (80 * np.exp(u))).astype(int)
    for number, split in enumerate(("val", "test")):
        for seed in seeds:
            noise = np.random.default_rng([number, seed, *tag.encode()]).standard_normal(48)
            rows[f"{split}_{seed}"] = 0.2 + shift + 0.1 * u**2 + 0.01 * noise
    return rows


def fill(db, seeds=(0,), originals=(("net", DATASETS[0]),), protocols=("finetune",)):
    for network, dataset in originals:
        for number, protocol in enumerate(protocols):
            tables = [table(f"{network} {dataset} {space}", seeds, 0.1 * number) for space in ("wide", "narrow")]
            rows = pd.concat(tables)
            import_results(
                db, rows, original=network, dataset=dataset, study="external", protocol=protocol, regimes=(0.5, 0.25),
                tolerance=0.01, flops_convention="multiply-adds", original_flops=40 * 10**6, original_params=10**6,
                columns={
                    "val_error": [f"val_{seed}" for seed in seeds], "test_error": [f"test_{seed}" for seed in seeds]
                },
            )  # fmt: skip
    return db


@pytest.fixture(scope="module")
def two_data_sets(tmp_path_factory):
    """One network on two data sets, in one study."""
    return fill(tmp_path_factory.mktemp("data") / "results.db", originals=[("net", one) for one in DATASETS])


@pytest.fixture(scope="module")
def two_networks(tmp_path_factory):
    """Two networks on one data set, in one study."""
    return fill(
        tmp_path_factory.mktemp("networks") / "results.db", originals=[(name, DATASETS[0]) for name in ("net", "other")]
    )


@pytest.fixture(scope="module")
def two_protocols(tmp_path_factory):
    return fill(tmp_path_factory.mktemp("protocols") / "results.db", protocols=("finetune", "scratch"))


COMMANDS = {name: (name,) for name in ("edf", "compare", "best-of", "noise", "optimum", "winners", "transfer")}
COMMANDS["buckets"] = ("buckets", "--size", 1)
POOLING = ("edf", "compare", "best-of", "noise", "optimum", "buckets")


@pytest.mark.parametrize("command", POOLING)
def test_two_data_sets_are_refused_in_one_line_and_one_can_be_chosen(two_data_sets, call, command):
    refused = call(*COMMANDS[command], "--db", two_data_sets, code=2)
    assert refused == f"expected one data set; found {' and '.join(DATASETS)}: choose one with --dataset"
    shown = call(*COMMANDS[command], "--db", two_data_sets, "--dataset", DATASETS[1])
    assert shown.startswith(f"Study 'external' (net on {DATASETS[1]}), ")


def test_the_choice_is_that_of_the_data_set_alone(two_data_sets, call, tmp_path):
    alone = fill(tmp_path / "alone.db", originals=[("net", one) for one in DATASETS[:1]])
    chosen = call("edf", "--db", two_data_sets, "--dataset", DATASETS[0], "-f", "csv")
    assert chosen == call("edf", "--db", alone, "-f", "csv")
    asked = call("edf", "--db", two_data_sets, "--dataset", "digits", code=2)
    assert f"expected a data set in the database; found 'digits': it has '{DATASETS[0]}'" in asked


@pytest.mark.parametrize("command", [*POOLING, "winners", "transfer"])
def test_two_protocols_are_refused_and_one_can_be_chosen(two_protocols, call, command):
    refused = call(*COMMANDS[command], "--db", two_protocols, code=2)
    assert "expected one protocol; found finetune and scratch: choose one with --protocol" in refused
    if command != "transfer":
        call(*COMMANDS[command], "--db", two_protocols, "--protocol", "scratch")


def test_winners_and_transfer_keep_data_sets_apart_and_name_them(two_data_sets, call):
    shown = call("winners", "--db", two_data_sets)
    assert shown.startswith(f"Study 'external' (net on {DATASETS[0]} and net on {DATASETS[1]}; 2 originals have a row")
    assert all(f": net on {name}.\n" in shown for name in DATASETS)
    shown = call("transfer", "--db", two_data_sets)
    assert all(f"net, {name}  " in shown for name in DATASETS)
    assert "validation split (for selection; reporting uses test): optimal ratio for error of each network" in shown


@pytest.mark.parametrize(
    ("command", "role"),
    [
        ("compare", "are strata"),
        ("edf", "form one sample"),
        ("best-of", "form one sample"),
        ("noise", "are a random factor"),
        ("optimum", "are fixed effects"),
        ("buckets", "are fixed effects"),
        ("winners", "have a row each"),
    ],
)
def test_several_networks_are_named_with_their_part_in_the_analysis(two_networks, call, command, role):
    shown = call(*COMMANDS[command], "--db", two_networks)
    assert shown.startswith(f"Study 'external' (net and other on {DATASETS[0]}; 2 originals {role})")
    mixture = "Each population is a mixture of 2 networks, and none of them alone: choose one with --original."
    assert (mixture in shown) == (role == "form one sample")
    assert mixture not in call(*COMMANDS[command], "--db", two_networks, "--original", "net")


def test_status_shows_the_data_set_and_no_row_twice(two_data_sets, call):
    lines = call("status", "--db", two_data_sets).splitlines()
    assert lines[0].split()[:4] == ["study", "network", "dataset", "original_seed"]
    assert len(set(lines)) == len(lines) == 9
    found = list(csv.DictReader(io.StringIO(call("status", "--db", two_data_sets, "-f", "csv"))))
    assert {row["dataset"] for row in found} == set(DATASETS)
    assert len({row["original"] for row in found}) == 2


def test_a_report_is_of_one_data_set_and_protocol(two_data_sets, two_protocols, call, tmp_path):
    pdf = tmp_path / "report.pdf"
    refused = call("report", "--db", two_data_sets, "-o", pdf, code=2)
    assert f"a report is of one data set; found {' and '.join(DATASETS)}: choose one with" in refused
    assert not pdf.exists()
    call("report", "--db", two_data_sets, "-o", pdf, "--dataset", DATASETS[0], "--timestamp", "2026-01-01")
    listed = list(csv.DictReader(io.StringIO(call("analyses", "--db", two_data_sets, "-f", "csv"))))
    number = next(row["id"] for row in reversed(listed) if row["kind"] == "report")
    again = tmp_path / "again.pdf"
    call("report", "--db", two_data_sets, "-o", again, "--analysis", number, "--timestamp", "2026-01-01")
    assert again.read_bytes() == pdf.read_bytes()
    refused = call("report", "--db", two_protocols, "-o", pdf, code=2)
    assert "a report is of one protocol; found finetune and scratch: choose one with" in refused
    call("report", "--db", two_protocols, "-o", pdf, "--protocol", "scratch")


@pytest.mark.parametrize(
    ("command", "columns"),
    [("noise", "sd_subnetworks, sd_seeds and icc are"), ("winners", "expected, low and high are")],
)
def test_one_seed_says_what_is_empty_and_what_fills_it(tmp_path, call, command, columns):
    db = fill(tmp_path / "results.db")
    shown = call(*COMMANDS[command], "--db", db)
    assert f"- {columns} empty, as every subnetwork has one training seed: import a table with a second column" in shown
    assert f"`prunestats import TABLE --column error=ERROR_0,ERROR_1 --db {db}`" in shown
    fill(db, seeds=(0, 1))
    filled = call(*COMMANDS[command], "--db", db)
    assert "are empty" not in filled
    cells = list(csv.DictReader(io.StringIO(call(*COMMANDS[command], "--db", db, "-f", "csv"))))
    assert all(row[columns.split(",")[0]] for row in cells)


def test_a_study_of_one_seed_names_the_keys_that_fill_it(demo, call):
    shown = call("noise", "--db", demo[0] / "results.db")
    assert 'in a copy of the study file set name = "demo 2 seeds" and, under [protocol], seeds = [0, 1]; then' in shown
