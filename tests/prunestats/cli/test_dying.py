"""A run whose process dies each time is a failed row with its reason, and the study goes on."""

import sqlite3
from contextlib import closing

NETWORK = '''
import os, signal
from torch import nn


class Deadly(nn.Module):
    """Kills the process that trains it with three or four filters, as the system does when memory runs out."""

    def __init__(self, num_classes):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3, padding=1)
        self.bn = nn.BatchNorm2d(8)
        self.fc = nn.Linear(8, num_classes)

    def forward(self, x):
        if self.training and self.conv.out_channels in (3, 4):
            os.kill(os.getpid(), signal.SIGKILL)
        return self.fc(self.bn(self.conv(x)).relu().mean((2, 3)))
'''

STUDY = """
name = "deadly"
[[originals]]
network = "deadly:Deadly"
epochs = 1
learning_rate = 0.1
[regimes]
flops = [0.5]
tolerance = 0.9
[[spaces]]
name = "initial"
sampler = "independent"
[population]
subnetworks = 6
[protocol]
epochs = 1
learning_rate = 0.1
"""


def test_a_run_that_kills_its_process_is_stored_as_failed(tmp_path, prunestats, monkeypatch, environment):
    (tmp_path / "deadly.py").write_text(NETWORK)
    (tmp_path / "study.toml").write_text(STUDY)
    path = f"{tmp_path}:{environment.get('PYTHONPATH', '')}"
    monkeypatch.setitem(environment, "PYTHONPATH", path)
    done = prunestats("run", "study.toml", "--workers", 2, cwd=tmp_path)
    assert "6 runs in" in done.stdout
    assert "2 of them failed" in done.stdout
    with closing(sqlite3.connect(tmp_path / "prunestats.db")) as connection:
        rows = connection.execute(
            "SELECT s.widths, r.state, r.failure FROM run r JOIN subnetwork s ON s.id = r.subnetwork_id"
        ).fetchall()
    died = "its worker process died each time that it was tried (out of memory?)"
    assert len(rows) == 6
    assert {(state, failure) for widths, state, failure in rows if widths in ("[3]", "[4]")} == {("failed", died)}
    assert {(state, failure) for widths, state, failure in rows if widths not in ("[3]", "[4]")} == {("done", None)}
    assert f"2 failed: {died}" in prunestats("status", cwd=tmp_path).stdout
    assert "were stored already" in prunestats("run", "study.toml", "--workers", 2, cwd=tmp_path).stdout
