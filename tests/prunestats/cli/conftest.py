import os
import subprocess
import sys
from pathlib import Path

import pytest

STUDY = """
name = "small"
seed = 7

[[originals]]
network = "resnet_digits"
seeds = [0]
epochs = 2
learning_rate = 0.1

[regimes]
flops = [0.25]
tolerance = 0.05

[[spaces]]
name = "initial"
sampler = "independent"

[population]
subnetworks = 40

[protocol]
epochs = 1
learning_rate = 0.02
"""

COMMAND = [sys.executable, "-m", "prunestats"]
# Ends a command that hangs, and no other: a short demo took over 300 s on two cores with a load of 17.
PATIENCE_S = 1800


@pytest.fixture(scope="session")
def environment():
    """The environment of a new user: no colours, no width, no variables of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PRUNESTATS", "COLUMNS"))}
    return {**kept, "NO_COLOR": "1", "PYTHONWARNINGS": "default"}


@pytest.fixture(scope="session")
def prunestats(environment):
    """Run a command to its end, with its output as text."""

    def call(*arguments: object, cwd: Path | None = None, code: int | None = 0):
        done = subprocess.run(
            [*COMMAND, *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=cwd,
            env=environment,
            timeout=PATIENCE_S,
        )
        if code is not None:
            assert done.returncode == code, done.stderr
        return done

    return call


@pytest.fixture(scope="session")
def study_text():
    """A study of one original, one space and one regime: 40 short runs."""
    return STUDY


@pytest.fixture
def study(tmp_path, study_text):
    path = tmp_path / "study.toml"
    path.write_text(study_text)
    return path


@pytest.fixture(scope="session")
def demo(tmp_path_factory, prunestats):
    """A short demo, where the real one would be, with what it printed."""
    folder = tmp_path_factory.mktemp("demo") / "prunestats-demo"
    return folder, prunestats("demo", "--folder", folder, "--subnetworks", 4, "--workers", 2)
