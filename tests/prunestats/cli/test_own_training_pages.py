"""The pages on trainings of one's own: their scripts, studies, commands and callbacks run as they stand.

Only the number of subnetworks is smaller, which no sentence of the pages depends on.
"""

import importlib
import re
import shlex
import subprocess
import sys
import types
from pathlib import Path
from unittest import mock

import pytest
import torch
from typer.testing import CliRunner

from prunestats.cli import app
from prunestats.db import query
from prunestats.runners.execution.study_plan import plan_study
from prunestats.runners.execution.trial import try_originals
from prunestats.runners.run import run_study
from prunestats.runners.study.file import parse_study
from prunestats.runners.training.own_training import Context

DOCS = Path(__file__).parents[3] / "docs"
OWN, ASKED, CALLBACKS = ((DOCS / f"{name}.md").read_text() for name in ("own-training", "ask-and-tell", "callbacks"))

# two subnetworks of each population are the fewest that have a best one
_FEW = (r"subnetworks = \d+", "subnetworks = 2")


def files(page):
    """Files of a page: blocks below a name, or that begin with one as a comment."""
    below = re.findall(r"^`([\w.]+)`[^\n]*:\n\n```\w+\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    return dict(below + re.findall(r"```python\n# ([\w.]+\.py)\n(.*?)```", page, flags=re.DOTALL))


def commands(page):
    """Commands of a page, line by line."""
    blocks = re.findall(r"```console\n(.*?)```", page, flags=re.DOTALL)
    return [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, which modules are imported from and forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    known = set(sys.modules)

    def write(page):
        for name, text in files(page).items():
            (tmp_path / name).write_text(re.sub(*_FEW, text))
        importlib.invalidate_caches()
        return tmp_path

    yield write
    for name in set(sys.modules) - known:
        if Path(getattr(sys.modules[name], "__file__", None) or "/").parent == tmp_path:
            del sys.modules[name]


def typed(line):
    """What a command prints, in this process; runs are made in it too."""
    words = shlex.split(line)[1:]
    done = CliRunner().invoke(app, [*words, "--workers", "0"] if words[0] == "run" else words)
    assert done.exit_code == 0, (line, done.output)
    return done.output


@pytest.mark.parametrize(
    ("study", "direction", "says"),
    [
        ("shapes", "higher is better", "expected mIoU"),
        ("cars", "higher is better", "expected ap50"),
        ("waves", "in mm: lower is better", "expected rmse"),
    ],
)
def test_an_example_is_checked_run_and_answered(folder, study, direction, says):
    folder(OWN)
    first = OWN.index(f"`{study}.toml`:")
    lines = commands(OWN[first : OWN.index("\n## ", first)])
    printed = {line.split()[1]: typed(line) for line in lines}
    assert direction in printed["check"]
    assert f"trial      {study}:train with a subnetwork at 0.25 of the FLOPs" in printed["check"]
    assert "16 of 16 of study" in printed["run"]
    assert " ".join(says.split()) in printed["best"]
    assert "export-subnetwork" in printed["best"]
    assert "error" not in printed["best"]
    assert ("%" in printed["check"]) == (study != "waves")
    assert query("prunestats.db", "SELECT DISTINCT state FROM run").rows == [("done",)]
    assert list(Path("prunestats.weights").glob("*.safetensors"))


def test_scripts_are_short(folder):
    counts = {name: sum(bool(line.strip()) for line in text.splitlines()) for name, text in files(OWN).items()}
    assert {name for name, n in counts.items() if name.endswith(".py") and n > 50} == set()


def test_a_training_goes_on_from_what_it_left(folder):
    """An interrupted training and one that was not return the same, to the last bit."""
    work = folder(OWN)
    import resumed
    import waves

    class StopError(Exception):
        pass

    def trained(context, stop_after=None):
        torch.manual_seed(0)
        saved, save = [], torch.save

        def stopping(*arguments):
            save(*arguments)
            saved.append(arguments)

        def replace(path, target):
            done = original(path, target)
            if len(saved) == stop_after:
                raise StopError
            return done

        original = Path.replace
        with mock.patch.object(torch, "save", stopping), mock.patch.object(Path, "replace", replace):
            return resumed.train(waves.Net(), context)

    for name in ("whole", "broken"):
        (work / name).mkdir()
    whole = trained(Context(torch.device("cpu"), 0, work / "whole"))
    broken = Context(torch.device("cpu"), 0, work / "broken")
    with pytest.raises(StopError):
        trained(broken, stop_after=4)
    assert trained(broken) == whole


def test_given_weights_are_measured_by_evaluate(folder):
    folder(OWN)
    import waves

    torch.save(waves.Net().state_dict(), "waves.pth")
    given = re.search(r"```toml\n(\[\[originals\]\]\n.*?)```", OWN[OWN.index("## Given weights") :], re.DOTALL).group(1)
    text = Path("waves.toml").read_text()
    (trial,) = try_originals(plan_study(parse_study(text[: text.index("[[originals]]")] + given)))
    assert [step.function for step in trial.own] == ["waves:evaluate", "waves:train", "waves:train"]


def test_runs_are_asked_and_told(folder):
    folder(ASKED)
    first, *others = commands(ASKED)
    done = subprocess.run([sys.executable, *first.split()[1:]], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] == "dense" for line in done.stdout.splitlines()] == [True] + 8 * [False]
    printed = [typed(line) for line in others]
    assert "all 8 runs are stored" in printed[0]
    assert "expected rmse" in printed[1]


class _Recorded:
    """A stand-in for a tracking package: records calls, and refuses arguments that the real function lacks."""

    def __init__(self):
        self.calls = []

    def function(self, name, parameters, returns=None):
        def call(*arguments, **named):
            bound = dict(zip(parameters, arguments, strict=False)) | named
            assert bound.keys() <= set(parameters), (name, bound)
            self.calls.append((name, bound))
            return returns

        return call

    def object(self, **functions):
        """A context manager with methods."""
        found = mock.MagicMock(spec=["__enter__", "__exit__", *functions])
        found.__enter__.return_value = found
        found.__exit__.return_value = False
        for name, parameters in functions.items():
            setattr(found, name, self.function(name, parameters) if isinstance(parameters, list) else parameters)
        return found


def wandb():
    """As wandb.init, Run.log and Run.summary of wandb's reference."""
    seen, module = _Recorded(), types.ModuleType("wandb")
    run = seen.object(
        log=["data", "step", "commit"], summary=types.SimpleNamespace(update=seen.function("summary", ["d"]))
    )
    module.init = seen.function("init", ["entity", "project", "dir", "id", "name", "tags", "config", "group"], run)
    return seen, {"wandb": module}


def tensorboard():
    """As torch.utils.tensorboard.SummaryWriter of PyTorch's reference."""
    seen, module = _Recorded(), types.ModuleType("torch.utils.tensorboard")
    writer = seen.object(add_scalar=["tag", "scalar_value", "global_step", "walltime", "new_style"])
    module.SummaryWriter = seen.function("init", ["log_dir", "comment", "purge_step", "max_queue"], writer)
    return seen, {"torch.utils.tensorboard": module}


def mlflow():
    """As the fluent functions of MLflow's reference."""
    seen, module = _Recorded(), types.ModuleType("mlflow")
    module.set_experiment = seen.function("set_experiment", ["experiment_name", "experiment_id"])
    module.start_run = seen.function("init", ["run_id", "experiment_id", "run_name", "nested", "tags"], seen.object())
    module.log_params = seen.function("params", ["params", "synchronous", "run_id"])
    module.log_metrics = seen.function("log", ["metrics", "step", "synchronous", "run_id", "timestamp"])
    return seen, {"mlflow": module}


@pytest.mark.parametrize(("package", "logged"), [(wandb, "log"), (tensorboard, "add_scalar"), (mlflow, "log")])
def test_a_recipe_sends_every_epoch_and_every_result(folder, package, logged):
    folder(OWN)
    work = folder(CALLBACKS)
    seen, fake = package()
    name = f"tracking_{package.__name__}"
    keys = re.search(r"\[callbacks\]\n.*?(?=```)", CALLBACKS, re.DOTALL).group().replace("tracking:", f"{name}:")
    text = (work / "waves.toml").read_text() + keys
    with mock.patch.dict(sys.modules, fake):
        run_study(parse_study(text), "r.db", workers=0, max_runs=2)
    steps = [one.get("step", one.get("global_step")) for call, one in seen.calls if call == logged]
    assert [call for call, _ in seen.calls].count("init") == 2
    assert steps[:15] == list(range(1, 16))
    assert 30 <= len(steps) <= 34
    values = [one for call, one in seen.calls if call in ("summary", "log", "add_scalar")]
    assert any("mse" in str(one) for one in values)


def test_recipes_have_15_lines():
    recipes = {name: text for name, text in files(CALLBACKS).items() if name != "tracking_keys.py"}
    assert len(recipes) == 3
    assert all(sum(bool(line.strip()) for line in text.splitlines()) <= 16 for text in recipes.values())
