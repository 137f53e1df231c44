import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prunestats.cost.model import CostModel, Layer
from prunestats.errors import InputError

CHAIN = CostModel(
    ("a", "b"),
    (6, 10),
    (
        Layer("first", "Conv2d", (), 3, ((0, 1),), 0, 9 * 16, 0, 9, 0),
        Layer("norm", "BatchNorm2d", ((0, 1),), 0, ((0, 1),), 0, 0, 0, 0, 2),
        Layer("joint", "Conv2d", ((0, 1), (1, 2)), 1, ((1, 1),), 0, 25, 0, 25, 1),
        Layer("last", "Linear", ((1, 4),), 0, (), 7, 1, 0, 1, 1),
    ),
)
WIDTHS = st.tuples(st.integers(1, 6), st.integers(1, 10))


def by_hand(a: int, b: int) -> tuple[int, list[int]]:
    layers = [3 * a * 9, 2 * a, (a + 2 * b + 1) * b * 25 + b, 4 * b * 7 + 7]
    return 3 * a * 9 * 16 + (a + 2 * b + 1) * b * 25 + 4 * b * 7, layers


@given(WIDTHS)
def test_cost_is_what_the_layers_add_up_to(widths):
    flops, layers = by_hand(*widths)
    assert CHAIN.flops(widths).tolist() == [flops]
    assert CHAIN.layer_params(widths).tolist() == [layers]
    assert CHAIN.params(widths).tolist() == [sum(layers)]


@given(WIDTHS, st.integers(1, 500))
def test_buckets_are_filled_layer_by_layer(widths, size):
    expected = sum(-(-layer // size) for layer in by_hand(*widths)[1])
    assert CHAIN.buckets(widths, size).tolist() == [expected]


def test_chunks_do_not_change_costs(monkeypatch):
    widths = np.random.default_rng(0).integers(1, [6, 10], size=(50, 2), endpoint=True)
    whole = CHAIN.flops(widths), CHAIN.buckets(widths, 64)
    monkeypatch.setattr("prunestats.cost.model._CHUNK_CELLS", 12)
    np.testing.assert_array_equal(CHAIN.flops(widths), whole[0])
    np.testing.assert_array_equal(CHAIN.buckets(widths, 64), whole[1])
    assert whole[0].tolist() == [by_hand(a, b)[0] for a, b in widths.tolist()]


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_rows_inside_a_band_are_found_exactly(first, second):
    widths = np.array(list(itertools.product(range(1, 7), range(1, 11))))
    flops = CHAIN.flops(widths)
    low, high = sorted((int(np.sort(flops)[first % 60]), int(np.sort(flops)[second % 60])))
    expected = np.flatnonzero((flops >= low) & (flops <= high))
    np.testing.assert_array_equal(CHAIN.inside(widths, low, high), expected)
    # bounds that exclude a value by one multiply-add leave it out
    np.testing.assert_array_equal(
        CHAIN.inside(widths, low + 1, high - 1), np.flatnonzero((flops >= low + 1) & (flops <= high - 1))
    )


def test_single_precision_never_loses_a_row_of_a_large_network(resnet50_cost):
    widths = np.random.default_rng(0).integers(1, resnet50_cost.sizes, size=(4000, 37), endpoint=True)
    flops = resnet50_cost.flops(widths)
    edges = np.sort(flops)[[1000, 1001]]
    np.testing.assert_array_equal(np.sort(flops[resnet50_cost.inside(widths, *edges)]), edges)


def test_resnet50_costs_what_is_published(resnet50_cost):
    assert round(resnet50_cost.flops(resnet50_cost.sizes)[0] / 1e9, 2) == 4.09
    assert resnet50_cost.params(resnet50_cost.sizes).tolist() == [25_557_032]


def test_a_cost_model_survives_json():
    assert CostModel.from_dict(json.loads(json.dumps(CHAIN.to_dict()))) == CHAIN


@pytest.mark.parametrize(
    ("widths", "complaint"),
    [([[1, 2, 3]], "one column for each of the 2 groups"), ([0, 3], "whole numbers from 1"), ([2.5, 3], "whole")],
)
def test_what_is_no_subnetwork_is_refused(widths, complaint):
    with pytest.raises(InputError, match=complaint):
        CHAIN.flops(widths)


def test_costs_beyond_exact_arithmetic_are_refused():
    layer = Layer("huge", "Linear", ((0, 1),), 0, ((0, 1),), 0, 2**20, 0, 1, 0)
    with pytest.raises(InputError, match=r"2\*\*53"):
        CostModel(("a",), (2**17,), (layer,)).flops([1])


def test_a_bucket_holds_at_least_one_parameter():
    with pytest.raises(InputError, match="bucket must be a whole number"):
        CHAIN.buckets([1, 1], 0)
