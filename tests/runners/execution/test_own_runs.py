"""Studies whose training is the user's own: seeds, metrics, failed rows, identity, resuming, workers."""

import dataclasses

import pytest
from typer.testing import CliRunner

import prunestats as ps
from prunestats.cli import app
from prunestats.db import load_results, query
from prunestats.errors import InputError, ReproductionError, StudyChangedError, StudyError, TrialError
from prunestats.metric import Metric, metric_of
from prunestats.runners.execution.study_plan import plan_study
from prunestats.runners.execution.trial import try_originals
from prunestats.runners.run import run_study
from prunestats.runners.study.file import Study, parse_study
from prunestats.runners.training.own_training import Context, call_own, checked
from tests.runners.conftest import TASK

SCORE = Metric("score", "maximize", "dB")


def run(text, db="results.db", **options):
    return run_study(parse_study(text), db, **{"workers": 0, **options})


def test_a_study_is_run_stored_and_resumed(own_study):
    summary = run(own_study, max_runs=2)
    assert (summary.done_now, summary.missing) == (2, 4)
    summary = run(own_study)
    assert (summary.done_before, summary.done_now, summary.failed_now) == (2, 4, 0)
    frame = load_results("results.db")
    assert metric_of(frame) == SCORE
    assert (frame["parts"] == 2).all()
    assert load_results("results.db", split="test")["score"].tolist() == pytest.approx((frame["score"] - 1).tolist())
    assert frame["score"].nunique() == 6  # seeds differ between subnetworks, and between the seeds of one
    assert frame["epochs"].tolist() == [2.0] * 6
    log = query("results.db", "SELECT metrics ->> 'score' FROM epoch_metric WHERE run_id = 1").rows
    assert len(log) == 2
    dense = query("results.db", "SELECT val_metric, test_metric, val_error FROM original").rows
    assert dense[0][0] == pytest.approx(dense[0][1] + 1)
    assert dense[0][2] is None


def test_results_do_not_depend_on_workers_or_the_place_of_the_database(own_study, tmp_path):
    run(own_study)
    run(own_study, tmp_path / "others" / "other.db" if (tmp_path / "others").mkdir() is None else "", workers=1)
    first, second = (
        load_results(db).set_index(["subnetwork", "seed"])["score"] for db in ("results.db", "others/other.db")
    )
    assert first.to_dict() == second.to_dict()


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ('return {"validation": {"other": 3}}', "must return 'score' of the validation split"),
        ('return {"validation": {"score": float("nan")}}', "score must be a finite number; found nan"),
        ('return {"validation": {"score": "high"}}', "score must be a number; found str"),
        ('return {"validation": {"score": 1.0, "also": [1, 2]}}', "also must be a number; found list"),
        ("return 0.5", "must return metrics by split"),
        ('return {"train": {"score": 1.0}}', "must return metrics by split"),
        ('raise OSError("no disk")', "OSError: no disk"),
        ("context.report(-1, score=1.0)", "epoch must be in [0, inf]; found -1"),
    ],
)
def test_a_run_that_fails_is_a_row_with_its_reason_and_the_study_goes_on(own_study, module, statement, reason):
    # the dense network and every second subnetwork are trained
    broken = f"    if CALLS[-1] and sum(CALLS) % 2:\n        {statement}\n    score ="
    counted = "    CALLS.append(not context.dense and not context.trial)\n"
    module("CALLS = []\n" + TASK.replace("    score =", counted + broken))
    summary = run(own_study)
    assert (summary.failed_now, summary.done_now) == (3, 3)
    reasons = query("results.db", "SELECT DISTINCT failure FROM failures").rows
    assert len(reasons) == 1
    assert reason in reasons[0][0]
    assert "\n" not in reasons[0][0]


def test_the_line_of_the_user_is_in_the_reason(own_study, module):
    module(
        TASK.replace(
            "    score =",
            '    if not context.dense and not context.trial:\n        raise OSError("no disk")\n    score =',
        )
    )
    run(own_study)
    assert "task.py:" in query("results.db", "SELECT DISTINCT failure FROM failures").rows[0][0]


def test_a_dense_network_that_cannot_be_trained_ends_the_study(own_study, module):
    module(TASK.replace("    score =", '    raise OSError("no disk")\n    score ='))
    with pytest.raises((StudyError, TrialError), match="no disk"):
        run(own_study)


def test_another_source_is_another_study_and_the_same_one_under_another_name_is_not(own_study, module):
    run(own_study)
    module(TASK, "moved")
    moved = own_study.replace("task:", "moved:")
    assert run(moved.replace('"own"', '"again"')).done_before == 6
    assert run(moved).done_before == 6
    module(TASK.replace("STEPS = 2", "STEPS = 3"))
    with pytest.raises(StudyChangedError) as caught:
        run(own_study)
    assert {key for key, _, _ in caught.value.differences} == {"originals.0.train", "protocol.train"}


def test_another_training_of_subnetworks_alone_is_another_study(own_study, module):
    text = own_study.replace('[protocol]\nname = "short"\ntrain = "task:train"', '[protocol]\ntrain = "tuning:train"')
    module("import task\n\n\ndef train(network, context):\n    return task.train(network, context)\n", "tuning")
    run(text)
    module("import task\n\n\ndef train(network, context):\n    return task.train(network, context) or 0\n", "tuning")
    with pytest.raises(StudyChangedError) as caught:
        run(text)
    assert {key for key, _, _ in caught.value.differences} == {"protocol.train"}


def test_a_version_stands_for_the_source(own_study, module):
    versioned = own_study.replace('train = "task:train"', 'train = "task:train"\nversion = "1"')
    run(versioned)
    module(TASK.replace("STEPS = 2", "STEPS = 3"))
    assert run(versioned).done_before == 6


def test_a_trial_calls_the_function_with_the_dense_network_and_one_a_regime(own_study):
    (trial,) = try_originals(plan_study(parse_study(own_study)))
    assert [step.what for step in trial.own] == ["the dense network", "a subnetwork at 0.5 of the FLOPs"]
    assert all("score" in step.metrics["validation"] for step in trial.own)


def test_run_does_not_try_a_function_that_knows_no_trial(own_study, module):
    module(TASK.replace("1 if context.trial else STEPS", "STEPS"))
    planned = plan_study(parse_study(own_study))
    assert try_originals(planned, only_short=True)[0].own == ()
    assert len(try_originals(planned)[0].own) == 2


def test_check_prints_what_the_function_returned(own_study, tmp_path):
    (tmp_path / "study.toml").write_text(own_study)
    result = CliRunner().invoke(app, ["check", "study.toml"])
    assert result.exit_code == 0, result.output
    assert "metric     score, in dB: higher is better" in result.output
    assert "task:train with the dense network: score" in result.output
    assert "%" not in result.output
    assert not (tmp_path / "prunestats.db").exists()


def test_a_checkpoint_is_measured_by_evaluate(own_study, module, tmp_path):
    import torch

    module(
        TASK
        + "\n\ndef measure(network, context):\n    return {'validation': {'score': 0.25 if context.dense else 1}}\n"
    )
    plan_study(parse_study(own_study))  # imports the module
    import task

    torch.save(task.Net().state_dict(), tmp_path / "net.pth")
    text = own_study.replace('input = [1, 8, 8]\ntrain = "task:train"', 'input = [1, 8, 8]\ncheckpoint = "net.pth"')
    with pytest.raises(StudyError, match=r"protocol\.evaluate is missing"):
        parse_study(text)
    run(text + 'evaluate = "task:measure"\n', max_runs=1)
    assert query("results.db", "SELECT val_metric, test_metric FROM original").rows == [(0.25, None)]


def test_the_folder_of_a_run_is_found_again_and_goes_with_its_row(own_study, module, tmp_path):
    module(
        TASK.replace(
            "    optimiser =",
            "    left = context.folder / 'left'\n"
            "    if not context.dense and not context.trial and not left.exists():\n"
            "        left.write_text('x')\n"
            "        raise KeyboardInterrupt\n"
            "    optimiser =",
        )
    )
    for done in range(3):
        with pytest.raises(KeyboardInterrupt):
            run(own_study, max_runs=1 if done == 0 else None)
        assert len(list((tmp_path / "results.runs").glob("*/left"))) == 1
    run(own_study, max_runs=1)
    assert list((tmp_path / "results.runs").glob("*/left")) == []


def test_a_study_with_a_metric_is_read_back_as_it_was(own_study):
    study = parse_study(own_study)
    assert Study.model_validate_json(study.model_dump_json()) == study
    assert study.measured == SCORE
    asked = parse_study(own_study.replace('train = "task:train"\n', ""))
    assert (asked.originals[0].train, asked.protocol.train) == ("ask", "ask")
    with pytest.raises(StudyError, match="its runs are asked for in Python"):
        run_study(asked, "results.db")


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("[protocol]", "[protocol]\nepochs = 3", "epochs = 3 makes no sense beside train"),
        ('train = "task:train"', 'train = "task.train"', "must be module:function"),
        ('"maximize"', '"up"', "metric.direction"),
        ('"score"', '"seed"', "must not be the name of another column"),
        ("[protocol]", "[protocol]\nsteps = 3", "steps = 3 makes no sense with train"),
        ("[protocol]", '[protocol]\ncriterion = "taylor"', "criterion = 'taylor' makes no sense with train"),
        (
            'input = [1, 8, 8]\ntrain = "task:train"',
            'input = [1, 8, 8]\ncheckpoint = "net.pth"',
            r"protocol\.evaluate is missing",
        ),
        ("[protocol]", '[data]\nname = "digits"\n\n[protocol]', "input = .* makes no sense beside .data."),
    ],
)
def test_keys_that_do_not_fit_are_refused_in_one_line(own_study, before, after, complaint):
    with pytest.raises(StudyError, match=complaint) as caught:
        parse_study(own_study.replace(before, after))
    assert "\n" not in str(caught.value)


def test_a_function_is_given_seeded_generators_that_are_restored(module, tmp_path):
    import torch

    module(
        "import random, numpy, torch\n\n\ndef draw(network, context):\n"
        "    return {'validation': {'score': torch.rand(()) + numpy.random.rand() + random.random()}}\n"
    )
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    drawn = []
    for seed in (1, 1, 2):
        context = Context(torch.device("cpu"), seed, tmp_path)
        drawn.append(call_own("task:draw", torch.nn.Identity(), context, SCORE)["validation"]["score"])
    assert drawn[0] == drawn[1] != drawn[2]
    assert torch.equal(torch.rand(3), wanted)


def test_a_report_of_one_epoch_replaces_the_earlier_one(tmp_path):
    import torch

    context = Context(torch.device("cpu"), 0, tmp_path)
    context.report(1, score=0.1)
    context.report(1, score=torch.tensor(0.5))
    assert [(one.epoch, one.metrics) for one in context.log] == [(1, {"score": 0.5})]
    with pytest.raises(InputError, match="whole number"):
        context.report(1.5, score=0.1)


def test_a_checkpoint_is_measured_where_runs_are_asked_for_too(own_study):
    asked = own_study.replace('input = [1, 8, 8]\ntrain = "task:train"', 'input = [1, 8, 8]\ncheckpoint = "net.pth"')
    asked = asked.replace('train = "task:train"\n', "")
    with pytest.raises(StudyError, match=r"protocol\.evaluate is missing"):
        parse_study(asked)
    assert parse_study(asked + 'evaluate = "task:measure"\n').protocol.train == "ask"


def test_a_range_may_have_one_bound(own_study):
    study = parse_study(own_study.replace('direction = "maximize"', 'direction = "maximize"\nrange = [0, inf]'))
    assert (study.measured.low, study.measured.high) == (0.0, None)
    assert Study.model_validate_json(study.model_dump_json()) == study


def test_a_metric_outside_its_range_is_refused():
    fraction = dataclasses.replace(SCORE, unit="fraction", low=0.0, high=1.0)
    with pytest.raises(InputError, match=r"score must be in \[0, 1\]; found 61"):
        checked("task:train", {"validation": {"score": 61}}, fraction)


def test_a_subnetwork_is_exported_by_its_kept_weights_or_trained_again_to_the_same_bits(own_study, tmp_path):
    text = own_study.replace('train = "task:train"\nseeds', 'train = "task:train"\nevaluate = "task:train"\nseeds')
    run(text + "\n[storage]\nkeep_weights = 1\n", max_runs=3)
    joined = "weights w JOIN run r ON r.id = w.run_id JOIN subnetwork s ON s.id = r.subnetwork_id"
    kept = query("results.db", f"SELECT s.key FROM {joined}").rows[0][0]
    other = query("results.db", f"SELECT subnetwork FROM results WHERE subnetwork <> '{kept}'").rows[0][0]
    first, second = (ps.export_subnetwork(key, "results.db", tmp_path / key, onnx=False).words for key in (kept, other))
    assert first.startswith("kept weights, evaluated again")
    assert second == "trained again, as its weights are not kept; its metrics equal the stored ones"


def test_a_training_that_changed_is_not_taken_for_the_stored_one(own_study, module, tmp_path):
    run(own_study + "\n[storage]\nkeep_weights = 0\n", max_runs=1)
    key = query("results.db", "SELECT subnetwork FROM results").rows[0][0]
    module(TASK.replace("STEPS = 2", "STEPS = 3"))
    with pytest.raises(ReproductionError, match="changed"):
        ps.export_subnetwork(key, "results.db", tmp_path / "sub", onnx=False)


def test_a_forgotten_input_is_named(own_study):
    with pytest.raises(StudyError, match="the digits are loaded: give input"):
        plan_study(parse_study(own_study.replace("input = [1, 8, 8]\n", "").replace("task:Net", "task:Coloured")))
