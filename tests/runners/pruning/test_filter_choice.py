import numpy as np
import pytest
import torch
from torch import nn

from prunestats.errors import InputError
from prunestats.runners import build_network, prune, trace
from prunestats.runners.pruning.filter_choice import CRITERIA, importance, keep_filters, most_important

INPUT = torch.randn(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def original():
    network = build_network("resnet_digits", seed=1)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.uniform_(0.5, 2)
                module.bias.normal_()
                module.running_mean.normal_()
                module.running_var.uniform_(0.5, 2)
    return network.eval(), trace(network, INPUT)


def test_keeping_every_filter_is_exact_to_the_last_bit(original):
    network, traced = original
    small = prune(network, traced, traced.cost.sizes)
    assert torch.equal(small(INPUT), network(INPUT))


@pytest.mark.parametrize("seed", range(5))
def test_a_pruned_network_is_the_original_with_those_filters_masked(original, seed):
    network, traced = original
    rng = np.random.default_rng(seed)
    filters = most_important(
        traced, [rng.random(g.size) for g in traced.groups], rng.integers(1, traced.cost.sizes, endpoint=True)
    )
    small = keep_filters(network, traced, filters)
    silenced = prune(network, traced, traced.cost.sizes)
    modules = dict(silenced.named_modules())
    with torch.no_grad():
        for layer in traced.layers:
            gone = np.setdiff1d(np.arange(len(layer.outputs.group)), layer.outputs.kept(filters))
            for parameter in modules[layer.name].parameters(recurse=False):
                parameter[gone] = 0
            if isinstance(modules[layer.name], nn.BatchNorm2d):
                modules[layer.name].running_mean[gone] = 0
    torch.testing.assert_close(small(INPUT), silenced(INPUT), rtol=1e-5, atol=1e-5)


def test_l1_sums_the_norms_of_all_writers_of_a_stream(original):
    network, traced = original
    modules = dict(network.named_modules())
    expected = sum(modules[name].weight.abs().sum((1, 2, 3)).detach().double() for name in traced.groups[0].writers)
    np.testing.assert_allclose(importance(network, traced)[0], expected.numpy(), rtol=1e-6)


def test_bn_scale_uses_batch_norms_only(original):
    network, traced = original
    modules = dict(network.named_modules())
    expected = modules["stages.0.bn1"].weight.abs().detach().double().numpy()
    np.testing.assert_allclose(importance(network, traced, criterion="bn_scale")[1], expected)


def test_the_most_important_filters_stay_in_their_order(original):
    _, traced = original
    scores = [np.zeros(group.size) for group in traced.groups]
    scores[1][[3, 9, 12]] = [1.0, 3.0, 2.0]
    marks = most_important(traced, scores, [1, 2, 1, 1, 1, 1])
    assert np.flatnonzero(marks[1]).tolist() == [9, 12]
    assert np.flatnonzero(marks[0]).tolist() == [0]


@pytest.mark.parametrize("criterion", CRITERIA)
def test_each_criterion_gives_the_widths_asked_for(original, criterion):
    network, traced = original
    widths = [5, 4, 3, 2, 6, 7]
    batches = [(INPUT, torch.arange(6))]
    small, again = (
        prune(network, traced, widths, criterion=criterion, rng=np.random.default_rng(0), batches=batches)
        for _ in range(2)
    )
    assert sum(p.numel() for p in small.parameters()) == traced.cost.params(widths)[0]
    assert torch.equal(small(INPUT), again(INPUT))


def test_scratch_discards_the_weights(original):
    network, traced = original
    inherited = prune(network, traced, traced.cost.sizes)
    scratch = prune(network, traced, traced.cost.sizes, init="scratch")
    assert not torch.allclose(inherited.stem.weight, scratch.stem.weight)
    assert torch.equal(scratch.bn.running_var, torch.ones(16))


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"criterion": "l3"}, "criterion must be one of"),
        ({"criterion": "random"}, "needs rng"),
        ({"init": "copied"}, "init must be one of"),
        ({"widths": [0, 4, 3, 2, 6, 7]}, "whole numbers from 1"),
        ({"widths": [5, 4]}, "one column for each of the 6 groups"),
    ],
)
def test_what_cannot_be_pruned_so_is_refused(original, options, complaint):
    network, traced = original
    with pytest.raises(InputError, match=complaint):
        prune(network, traced, **{"widths": [5, 4, 3, 2, 6, 7], **options})
