"""Traces against their networks: cost, widths, and outputs of pruned networks."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from prunestats.errors import TraceError
from prunestats.runners import NETWORKS, build_network, prune, trace
from prunestats.runners.outputs import tensors
from prunestats.runners.pruning.dependency_graph import coupled_layers
from prunestats.runners.pruning.filter_choice import most_important
from prunestats.runners.pruning.shrinking import keep_filters, mask_filters

_spec = importlib.util.spec_from_file_location("zoo", Path(__file__).with_name("zoo.py"))
zoo = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(zoo)

PUBLISHED = {"resnet18", "resnet50", "mobilenet_v2"}
N_SUBNETWORKS = 50


def shape_of(name):
    if name.startswith("resnet_digits"):
        return (1, 1, 8, 8)
    return (1, 3, 224, 224) if name in PUBLISHED else (1, 3, 32, 32)


def counted(network, shape):
    """FLOPs and parameters by torch's counter, on the meta device, which computes shapes only."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(torch.zeros(shape, device="meta"))
    return counter.get_total_flops() // 2, sum(p.numel() for p in network.parameters())


def check_cost(network, traced, shape, n):
    original = network.to("meta")
    assert (traced.flops, traced.params) == counted(original, shape)
    rng = np.random.default_rng(7)
    for _ in range(n):
        widths = rng.integers(1, traced.cost.sizes, endpoint=True)
        small = prune(original, traced, widths, criterion="first")
        assert (traced.cost.flops(widths)[0], traced.cost.params(widths)[0]) == counted(small, shape)
        modules = dict(small.named_modules())
        for layer, params in zip(traced.cost.layers, traced.cost.layer_params(widths)[0], strict=True):
            assert sum(p.numel() for p in modules[layer.name].parameters()) == params


@pytest.mark.parametrize("n", [3, pytest.param(N_SUBNETWORKS, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", NETWORKS)
def test_cost_and_widths_are_those_of_the_pruned_network(name, n):
    shape = shape_of(name) if n == N_SUBNETWORKS else (*shape_of(name)[:2], *(min(s, 64) for s in shape_of(name)[2:]))
    network = build_network(name, seed=0)
    traced = trace(network, torch.zeros(shape))
    check_cost(network, traced, shape, n)
    widths = np.maximum(1, traced.cost.sizes // 3)
    modules = dict(prune(network, traced, widths, criterion="first").named_modules())
    for group, width in zip(traced.groups, widths, strict=True):
        assert {modules[name].weight.shape[0] for name in group.writers} == {width}


@pytest.mark.parametrize(("network", "sizes"), zoo.traced().values(), ids=zoo.traced())
def test_every_kind_of_connection_is_traced(network, sizes):
    traced = trace(network, torch.randn(2, 3, 8, 8))
    assert [group.size for group in traced.groups] == sizes
    check_cost(network, traced, (1, 3, 8, 8), N_SUBNETWORKS)


@pytest.mark.parametrize(("network", "complaint"), zoo.refused().values(), ids=zoo.refused())
def test_what_cannot_be_pruned_exactly_is_refused_by_name(network, complaint):
    with pytest.raises(TraceError, match=complaint) as caught:
        trace(network, torch.randn(1, 3, 8, 8))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_pruned_network_matches_the_masked_original(name):
    """With non-trivial batch norms on small images; keeping every filter is exact to the last bit."""
    network = build_network(name, seed=0).eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1, generator=generator)
                module.bias.normal_(generator=generator)
                module.running_mean.normal_(generator=generator)
    images = torch.randn(
        2, *shape_of(name)[1:2], *((8, 8) if name == "resnet_digits" else (32, 32)), generator=generator
    )
    traced = trace(network, images)
    with torch.no_grad():
        assert torch.equal(prune(network, traced, traced.cost.sizes)(images), network(images))
        rng = np.random.default_rng(3)
        widths = rng.integers(1, traced.cost.sizes, endpoint=True)
        filters = most_important(traced, [rng.random(group.size) for group in traced.groups], widths)
        expected = mask_filters(network, traced, filters)(images)
        found = keep_filters(network, traced, filters)(images)
    assert expected.std() > 0
    torch.testing.assert_close(found / expected.abs().max(), expected / expected.abs().max(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("network", "sizes"), zoo.nested().values(), ids=zoo.nested())
def test_every_tensor_of_a_nest_is_that_of_the_masked_original(network, sizes):
    images = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    traced = trace(network, images)
    rng = np.random.default_rng(3)
    widths = rng.integers(1, sizes, endpoint=True)
    filters = most_important(traced, [rng.random(size) for size in sizes], widths)
    with torch.no_grad():
        expected, found, dense = (
            tensors(each.eval()(images))
            for each in (mask_filters(network, traced, filters), keep_filters(network, traced, filters), network)
        )
    assert [one.shape for one in found] == [one.shape for one in dense]
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def test_residual_streams_are_one_group():
    traced = trace(build_network("resnet_digits"), torch.zeros(1, 1, 8, 8))
    stream = traced.groups[0]
    assert stream.writers == ("stem", "stages.0.conv2")
    assert set(stream.readers) == {"stages.0.conv1", "stages.1.conv1", "stages.1.shortcut.0"}
    assert [group.size for group in traced.groups] == [16, 16, 32, 32, 64, 64]


def test_groups_with_the_same_first_writer_have_different_names():
    network, _ = zoo.traced()["a concatenation joins a stream"]
    assert [group.name for group in trace(network, torch.zeros(1, 3, 8, 8)).groups] == ["c", "c#1"]


def test_the_remaining_trace_is_that_of_the_pruned_network():
    network = build_network("mobilenet_v2_cifar", seed=0)
    traced = trace(network, torch.zeros(1, 3, 32, 32))
    rng = np.random.default_rng(0)
    filters = [rng.permutation(group.size) < 1 + group.size // 3 for group in traced.groups]
    left = traced.kept(filters)
    again = trace(keep_filters(network, traced, filters), torch.zeros(1, 3, 32, 32))
    assert (left.cost, left.groups) == (again.cost, again.groups)
    for mine, other in zip(left.layers, again.layers, strict=True):
        for side in ("inputs", "outputs"):
            np.testing.assert_array_equal(getattr(mine, side).group, getattr(other, side).group)
            np.testing.assert_array_equal(getattr(mine, side).filter, getattr(other, side).filter)


def test_tracing_does_not_change_the_network():
    network = build_network("resnet_digits", seed=0).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    trace(network, torch.randn(4, 1, 8, 8))
    assert network.training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


@pytest.mark.parametrize("gradients_disabled", [torch.no_grad, torch.inference_mode])
def test_tracing_works_where_gradients_are_disabled(gradients_disabled):
    network = build_network("resnet_digits")
    with gradients_disabled():
        found = trace(network, torch.zeros(1, 1, 8, 8))
    expected = trace(network, torch.zeros(1, 1, 8, 8))
    assert (found.groups, found.cost) == (expected.groups, expected.cost)


def test_frozen_parameters_are_traced_and_stay_frozen():
    network = build_network("resnet_digits").requires_grad_(False)
    found = trace(network, torch.zeros(1, 1, 8, 8))
    expected = trace(build_network("resnet_digits"), torch.zeros(1, 1, 8, 8))
    assert (found.groups, found.cost) == (expected.groups, expected.cost)
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_a_failure_of_torch_pruning_is_reported_in_one_line():
    class Graph:
        def get_all_groups(self, **_):
            yield "a group"
            raise IndexError("list index\nout of range")

    groups = coupled_layers(Graph(), [])
    assert next(groups) == "a group"
    with pytest.raises(TraceError, match=r"Torch-Pruning cannot trace .* \(IndexError: list index out of range\)"):
        next(groups)
