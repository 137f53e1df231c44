import time

import pytest
import torch
from torch import nn

from prunestats.runners.training.latency import latency_columns, measure_latency


class Sleeper(nn.Module):
    """Sleeps for a given time for each input."""

    def __init__(self, seconds):
        super().__init__()
        self.seconds = seconds
        self.batches = []

    def forward(self, x):
        assert not self.training
        assert not torch.is_grad_enabled()
        self.batches.append(len(x))
        time.sleep(self.seconds * len(x))
        return x


def test_the_median_is_that_of_a_pass_and_networks_alternate():
    fast, slow = Sleeper(0.002), Sleeper(0.006)
    found = measure_latency([fast, slow], torch.zeros(1, 1, 2, 2), 3)
    assert [latency.batch for latency in found] == [3, 3]
    assert 6 <= found[0].median_ms < 12
    assert 18 <= found[1].median_ms < 30
    assert fast.batches == slow.batches == [3] * (3 + found[0].repeats)
    assert fast.training


def test_slow_networks_are_measured_a_few_times_only():
    [found] = measure_latency([Sleeper(0.4)], torch.zeros(1, 1), 1)
    assert found.repeats == 3


def test_speed_up_is_the_originals_latency_over_the_subnetworks():
    found = latency_columns(Sleeper(0.0002), Sleeper(0.0006), torch.zeros(1, 1))
    assert set(found) == {"latency_ms_1", "latency_ms_64", "speedup_1", "speedup_64"}
    assert found["speedup_64"] == pytest.approx(3, rel=0.3)
