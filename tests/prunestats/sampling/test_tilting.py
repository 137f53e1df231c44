"""Tilted proposals leave the distribution unchanged: against enumeration, and against rejection from the space."""

import itertools

import numpy as np
import pytest
from scipy import stats

from prunestats.cost.model import CostModel, Layer
from prunestats.errors import InputError
from prunestats.sampling.conditional_sampling import ProductConditional
from prunestats.sampling.elimination import elimination_order
from prunestats.sampling.pairwise_field import Exponent, PairwiseField
from prunestats.sampling.rejection import sample
from prunestats.sampling.tilting import tilt_towards
from prunestats.spaces.space import (
    Independent,
    JitteredUniform,
    MinimalWidth,
    ParameterBand,
    RatioBand,
    Regime,
    Space,
    WidthDivisor,
)
from prunestats.spaces.support import Support


def conv(name, inputs, output, cost=9):
    return Layer(name, "Conv2d", tuple((g, 1) for g in inputs), 0, ((output, 1),), 0, cost, 0, 9, 1)


# a residual block, and a layer whose inputs and outputs are one group: each conditional sampler, and a squared width
BLOCK = CostModel(
    ("in", "first", "second", "out"),
    (8, 10, 9, 12),
    (
        conv("one", [0], 1),
        conv("two", [1], 2, 36),
        conv("three", [2], 3),
        conv("shortcut", [0], 3, 4),
        conv("own", [3], 3, 2),
        Layer("head", "Linear", ((3, 1),), 0, (), 10, 3, 0, 1, 0),
    ),
)
EVERYTHING = np.array(list(itertools.product(*(range(1, size + 1) for size in BLOCK.group_sizes))))
FULL = int(BLOCK.flops(BLOCK.sizes)[0])
RARE = {"high": Regime(0.9, 0.04), "low": Regime(0.04, 0.15), "middle": Regime(0.6, 0.01)}
UNIFORM = Independent(0.01)


def in_band(regime, widths=EVERYTHING):
    low, high = regime.bounds(FULL)
    flops = BLOCK.flops(widths)
    return widths[(low <= flops) & (flops <= high)]


def chance(counts):
    return stats.chisquare(counts).pvalue


def counted(states, widths):
    """Counts of each of the states; a KeyError where another was drawn."""
    place = {tuple(row): number for number, row in enumerate(states.tolist())}
    return np.bincount([place[tuple(row)] for row in widths.tolist()], minlength=len(states))


def kept(tilt, cost, regime, blocks, seed):
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(blocks):
        proposals = tilt.propose(20_000, rng)
        rows = cost.inside(proposals, *regime.bounds(int(cost.flops(cost.sizes)[0])))
        found.append(proposals[rows[tilt.keeps(cost.flops(proposals[rows]), rng)]])
    return np.concatenate(found)


def towards(cost, regime, sampler=UNIFORM, support=None):
    return tilt_towards(sampler, cost, support or Support(cost), regime.bounds(int(cost.flops(cost.sizes)[0])))


@pytest.mark.parametrize("theta", [-40.0, -3.0, 5.0, 60.0])
@pytest.mark.parametrize("gap", [False, True])
def test_a_field_has_the_normalising_constant_and_the_distribution_of_the_enumeration(theta, gap):
    """Every conditional sampler, by chi-square over all states; unevenly spaced widths exclude the closed form."""
    rng = np.random.default_rng(1)
    levels = [np.arange(1, 4), np.arange(2, 7, 2), np.arange(1, 6), np.array([1, 2, 3, 5 if gap else 4]), np.arange(3)]
    pairs = np.triu(rng.random((5, 5)), 1) / 100
    pairs[[0, 0, 1], [3, 4, 3]] = 0
    exponent = Exponent(rng.random(5) / 50, np.array([0.0, 0.002, 0.0, 0.0, 0.0]), pairs + pairs.T) * theta
    steps = elimination_order(exponent.pairs, [each.size for each in levels])
    field = PairwiseField(exponent, levels, steps)
    everything = np.array(list(itertools.product(*levels)), dtype=float)
    logs = everything @ exponent.linear + everything**2 @ exponent.square
    logs += np.einsum("ng,gh,nh->n", everything, np.triu(exponent.pairs), everything)
    weights = np.exp(logs)
    assert field.log_sum == pytest.approx(np.log(weights.sum()), rel=1e-12, abs=1e-12)
    indices = field.draw(400_000, rng)
    flat = np.ravel_multi_index(indices, [each.size for each in levels])
    expected = 400_000 * weights / weights.sum()
    common = expected >= 5
    found = np.bincount(flat, minlength=len(weights))
    observed = np.append(found[common], found[~common].sum())
    expected = np.append(expected[common], expected[~common].sum())
    seen = expected > 0
    assert stats.chisquare(observed[seen], expected[seen]).pvalue > 1e-3


@pytest.mark.parametrize("tries", [0, 1, 8])
def test_products_of_rows_have_their_distribution_after_any_number_of_tries(tries, monkeypatch):
    """Bundles of dissimilar rows, some weights zero; without a try all are inverted, with one try some are."""
    monkeypatch.setattr("prunestats.sampling.conditional_sampling._TRIES", tries)
    rng = np.random.default_rng(11)
    first, second = rng.random((200, 40)) ** 4, rng.random((90, 40)) ** 4
    first[:, 3] = second[:, 39] = 0
    draw = ProductConditional(first, second, (1, 2))
    for a, b in ((0, 0), (117, 55), (199, 89)):
        indices = np.repeat([[0], [a], [b]], 40_000, axis=1)
        weights = first[a] * second[b]
        observed = np.bincount(draw(indices, rng), minlength=40)
        seen = weights > 1e-4 * weights.sum()
        assert observed[weights == 0].sum() == 0
        expected = weights[seen] / weights[seen].sum() * observed[seen].sum()
        assert stats.chisquare(observed[seen], expected).pvalue > 1e-3


@pytest.mark.parametrize("name", RARE)
def test_tilted_draws_are_uniform_over_a_rare_band(name):
    """Chi-square over every state of a band that holds less than one in a hundred of the space's proposals."""
    states = in_band(RARE[name])
    assert 20 < len(states) < 0.01 * len(EVERYTHING)
    counts = counted(states, kept(towards(BLOCK, RARE[name]), BLOCK, RARE[name], 40, seed=2))
    assert counts.sum() > 100 * len(states)
    assert chance(counts) > 1e-3


@pytest.mark.parametrize("theta", [-4.0, 2.0, 25.0])
def test_the_distribution_is_the_same_for_any_tilt(theta):
    regime = RARE["middle"]
    made = towards(BLOCK, regime)
    steps, levels = made.field._steps, made.levels
    field = PairwiseField(made.field._exponent * (theta / made.theta), levels, steps)
    edge = regime.bounds(FULL)[int(theta < 0)] / FULL
    other = type(made)(field, levels, theta, edge, FULL)
    counts = counted(in_band(regime), kept(other, BLOCK, regime, 60, seed=3))
    assert counts.sum() > 5 * counts.size
    assert chance(counts) > 1e-3


@pytest.mark.parametrize("limits", [(WidthDivisor(2),), (WidthDivisor(4), MinimalWidth(3)), (MinimalWidth(2),)])
def test_samples_are_uniform_over_a_support_with_a_divisor_and_a_minimal_width(limits):
    regime = Regime(0.8, 0.1)
    support = Space("s", UNIFORM, limits).support(BLOCK)
    open_now = np.array(list(itertools.product(*support.levels(0.01))))
    states = in_band(regime, open_now)
    assert chance(counted(states, kept(towards(BLOCK, regime, support=support), BLOCK, regime, 10, seed=4))) > 1e-3


def rare(monkeypatch):
    """Build the tilt after one block of 64 proposals."""
    monkeypatch.setattr("prunestats.sampling.rejection._BLOCK", 64)
    monkeypatch.setattr("prunestats.sampling.rejection._PILOT", 64)
    monkeypatch.setattr("prunestats.sampling.rejection._RARE", 1.0)


@pytest.mark.parametrize("limits", [(), (RatioBand(high=1.8), ParameterBand(low=0.55))])
def test_samples_hold_each_state_of_the_band_equally_often(limits, monkeypatch):
    """Sampling without replacement: the counts have the variance of simple random samples."""
    rare(monkeypatch)
    tilt = towards(BLOCK, Regime(0.7, 0.1))
    monkeypatch.setattr("prunestats.sampling.rejection.tilt_towards", lambda *_: tilt)
    regime, n, repeats = Regime(0.7, 0.1), 20, 500
    states = in_band(regime)
    for limit in limits:
        states = states[limit.holds(BLOCK, states)]
    assert len(states) > 100
    counts = np.zeros(len(states))
    for seed in range(repeats):
        drawn = sample(Space("s", UNIFORM, limits), BLOCK, regime, n, rng=np.random.default_rng(seed))
        assert "tilted" in drawn.scheme
        counts += counted(states, drawn.widths)
    expected = repeats * n / len(states)
    spread = expected * (1 - n / len(states)) * len(states) / (len(states) - 1)
    assert stats.chi2.sf(((counts - expected) ** 2).sum() / spread, len(states) - 1) > 1e-3


@pytest.mark.parametrize(("flops", "tolerance"), [(0.4, 0.02), (0.2, 0.03)])
def test_resnet50_has_the_distribution_of_rejection(resnet50_cost, flops, tolerance, monkeypatch):
    """Two samples of 4,000: Kolmogorov-Smirnov tests of every group, FLOPs and parameters, and all correlations."""
    regime, n = Regime(flops, tolerance), 4000

    def draws(seed):
        return sample(Space("s", Independent()), resnet50_cost, regime, n, rng=np.random.default_rng(seed))

    plain = draws(5)
    assert plain.scheme == "rejection"
    rare(monkeypatch)
    tilted = draws(6)
    assert "tilted" in tilted.scheme
    columns = [np.column_stack([drawn.widths, drawn.flops, drawn.params]).T for drawn in (plain, tilted)]
    pairs = list(zip(*columns, strict=True))
    assert min(stats.ks_2samp(a, b, method="asymp").pvalue for a, b in pairs) > 1e-2 / len(pairs)
    upper = np.triu_indices(resnet50_cost.n_groups, 1)
    a, b = (np.arctanh(np.corrcoef(drawn.widths.T)[upper]) for drawn in (plain, tilted))
    z = (a - b) / np.sqrt(2 / n)
    assert np.abs(z).max() < stats.norm.isf(0.01 / 2 / z.size)
    assert 0.8 < z.var() < 1.2


def test_resnet50_in_a_band_that_rejection_cannot_fill(resnet50_cost):
    """The benchmark's band: all inside, distinct, and the first samples do not depend on n."""
    regime = Regime(0.5, 0.01)

    def draws(n):
        return sample(Space("s", Independent()), resnet50_cost, regime, n, rng=np.random.default_rng(7))

    drawn = draws(2000)
    low, high = regime.bounds(int(resnet50_cost.flops(resnet50_cost.sizes)[0]))
    assert ((low <= drawn.flops) & (drawn.flops <= high)).all()
    np.testing.assert_array_equal(drawn.flops, resnet50_cost.flops(drawn.widths))
    assert len({tuple(row) for row in drawn.widths.tolist()}) == 2000
    assert drawn.scheme.startswith("rejection, after 262,144 proposals from the distribution tilted by exp(")
    assert drawn.attempts < 400_000
    np.testing.assert_array_equal(draws(300).widths, drawn.widths[:300])


def test_where_rejection_is_quick_it_goes_on_after_the_pilot(resnet50_cost, monkeypatch):
    def never(*_):
        raise AssertionError

    monkeypatch.setattr("prunestats.sampling.rejection._PILOT", 8192)
    monkeypatch.setattr("prunestats.sampling.rejection.tilt_towards", never)
    drawn = sample(Space("s", Independent()), resnet50_cost, Regime(0.4, 0.02), 200, rng=np.random.default_rng(8))
    assert drawn.attempts > 8192
    assert drawn.scheme == "rejection"


def test_only_product_distributions_bands_off_the_mean_and_networks_of_treewidth_two_have_a_tilt():
    class Halved(Independent):
        def propose(self, support, n, rng):
            return np.maximum(1, super().propose(support, n, rng) // 2)

    layers = [conv(f"{a}{b}", [a], b) for a, b in itertools.combinations(range(4), 2)]
    full = CostModel(tuple("abcd"), (4,) * 4, tuple(layers))
    high, mean = RARE["high"], Regime(float(BLOCK.flops(EVERYTHING).mean()) / FULL, 0.05)
    assert towards(BLOCK, high) is not None
    assert towards(BLOCK, high, sampler=Halved()) is None
    assert towards(BLOCK, high, sampler=JitteredUniform()) is None
    assert towards(BLOCK, mean) is None
    assert towards(full, high) is None


def test_networks_whose_tables_would_be_too_large_have_no_tilt():
    wide = CostModel(("a", "b"), (40_000, 40_000), (conv("one", [0], 1, 1),))
    assert towards(wide, Regime(0.9, 0.01)) is None


def test_bands_at_the_very_ends_are_drawn(monkeypatch):
    rare(monkeypatch)
    full = sample(Space("s", UNIFORM), BLOCK, Regime(1.0, 1e-6), 1, rng=np.random.default_rng(9))
    np.testing.assert_array_equal(full.widths[0], BLOCK.sizes)
    least = float(BLOCK.flops([1, 1, 1, 1])[0]) / FULL
    narrow = sample(Space("s", UNIFORM), BLOCK, Regime(least, 1e-6), 1, rng=np.random.default_rng(9))
    np.testing.assert_array_equal(narrow.widths[0], [1, 1, 1, 1])
    with pytest.raises(InputError, match=r"gave 1 of 2 subnetworks .* repeated one of them"):
        sample(Space("s", UNIFORM), BLOCK, Regime(1.0, 1e-6), 2, rng=np.random.default_rng(9), max_attempts=50_000)
