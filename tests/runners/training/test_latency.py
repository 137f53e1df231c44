import pytest
import torch
from torch import nn

from prunestats.runners.training import latency
from prunestats.runners.training.latency import latency_columns, measure_latency


class Clock:
    """A clock that nothing but the networks moves, so that no other process can."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self):
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(latency, "time", clock)
    monkeypatch.setattr(Timed, "clock", clock, raising=False)


class Timed(nn.Module):
    """Takes as long as it is told, for each input."""

    def __init__(self, seconds):
        super().__init__()
        self.seconds = seconds
        self.batches = []

    def forward(self, x):
        assert not self.training
        assert not torch.is_grad_enabled()
        self.batches.append(len(x))
        self.clock.now += self.seconds * len(x)
        return x


def test_the_median_is_that_of_a_pass_and_networks_alternate():
    fast, slow = Timed(0.002), Timed(0.006)
    found = measure_latency([fast, slow], torch.zeros(1, 1, 2, 2), 3)
    assert [one.batch for one in found] == [3, 3]
    assert [one.median_ms for one in found] == pytest.approx([6, 18])
    assert fast.batches == slow.batches == [3] * (3 + found[0].repeats)
    assert fast.training


def test_slow_networks_are_measured_a_few_times_only():
    [found] = measure_latency([Timed(0.4)], torch.zeros(1, 1), 1)
    assert found.repeats == 3


def test_speed_up_is_the_originals_latency_over_the_subnetworks():
    found = latency_columns(Timed(0.0002), Timed(0.0006), torch.zeros(1, 1))
    assert set(found) == {"latency_ms_1", "latency_ms_64", "speedup_1", "speedup_64"}
    assert found["speedup_64"] == pytest.approx(3)
