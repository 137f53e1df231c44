import itertools

import numpy as np
import pytest
from scipy import stats

from prunestats.cost.model import CostModel, Layer
from prunestats.errors import InputError, StudyError
from prunestats.sampling.rejection import sample
from prunestats.spaces.space import Independent, JitteredUniform, Regime, Space
from prunestats.spaces.support import Support

COST = CostModel(
    ("a", "b", "c"),
    (8, 12, 16),
    (
        Layer("one", "Conv2d", ((0, 1),), 0, ((1, 1),), 0, 36, 0, 9, 0),
        Layer("two", "Conv2d", ((1, 1),), 0, ((2, 1),), 0, 9, 0, 9, 0),
    ),
)
WIDE = Regime(0.4, 0.3)


UNIFORM = Independent()


def draw(space=UNIFORM, regime=WIDE, n=50, seed=0):
    return sample(Space("s", space), COST, regime, n, rng=np.random.default_rng(seed))


@pytest.mark.parametrize("sampler", [Independent(), JitteredUniform(0.3)])
def test_every_draw_lies_in_the_band_and_none_repeats(sampler):
    drawn = draw(sampler)
    low, high = WIDE.bounds(int(COST.flops(COST.sizes)[0]))
    assert ((low <= drawn.flops) & (drawn.flops <= high)).all()
    assert len({tuple(row) for row in drawn.widths.tolist()}) == 50
    np.testing.assert_array_equal(drawn.flops, COST.flops(drawn.widths))
    np.testing.assert_array_equal(drawn.params, COST.params(drawn.widths))


def test_the_first_draws_do_not_depend_on_how_many_follow():
    np.testing.assert_array_equal(draw(n=20).widths, draw(n=60).widths[:20])


def test_same_seed_same_draws_other_seed_others():
    np.testing.assert_array_equal(draw(seed=3).widths, draw(seed=3).widths)
    assert (draw(seed=3).widths != draw(seed=4).widths).any()


@pytest.mark.parametrize(
    ("sampler", "widths", "attempts"),
    [
        (Independent(), [[7, 8, 9], [5, 8, 16], [6, 8, 9], [7, 9, 1]], 8),
        (JitteredUniform(0.3), [[6, 6, 7], [5, 6, 12], [6, 7, 14], [8, 6, 7]], 30),
    ],
)
def test_studies_that_were_drawn_before_draw_the_same_again(sampler, widths, attempts):
    drawn = draw(sampler, n=4)
    assert drawn.widths.tolist() == widths
    assert drawn.attempts == attempts


def test_the_distribution_is_uniform_over_the_band(monkeypatch):
    """First samples of Independent conditional on the band: chi-square against uniform over the enumerated widths."""
    monkeypatch.setattr("prunestats.sampling.rejection._BLOCK", 128)
    everything = np.array(list(itertools.product(range(1, 9), range(1, 13), range(1, 17))))
    regime = Regime(0.4, 0.05)
    low, high = regime.bounds(int(COST.flops(COST.sizes)[0]))
    inside = everything[(COST.flops(everything) >= low) & (COST.flops(everything) <= high)]
    index = {tuple(row): place for place, row in enumerate(inside.tolist())}
    counts = np.zeros(len(inside))
    for seed in range(1500):
        counts[index[tuple(draw(Independent(0.01), regime, 1, seed).widths[0].tolist())]] += 1
    assert stats.chisquare(counts).pvalue > 1e-3


def test_acceptance_estimates_the_mass_of_the_band():
    rng = np.random.default_rng(5)
    proposals = Independent().propose(Support(COST), 200_000, rng)
    low, high = WIDE.bounds(int(COST.flops(COST.sizes)[0]))
    mass = np.mean((COST.flops(proposals) >= low) & (COST.flops(proposals) <= high))
    drawn = draw(n=200)
    assert drawn.accepted == 200 + drawn.duplicates
    assert abs(drawn.acceptance - mass) < 4 * np.sqrt(mass * (1 - mass) / drawn.attempts)


def test_a_regime_below_the_smallest_subnetwork_is_refused():
    with pytest.raises(InputError, match="below the smallest subnetwork"):
        draw(regime=Regime(0.001, 0.02))


def test_an_exhausted_space_says_how_many_it_gave():
    regime = Regime(1.0, 0.001)
    with pytest.raises(InputError, match="gave 1 of 2 subnetworks"):
        sample(Space("s", Independent()), COST, regime, 2, rng=np.random.default_rng(0), max_attempts=50_000)


def test_jitter_zero_keeps_one_ratio_for_all_groups():
    widths = JitteredUniform(jitter=0.0).propose(Support(COST), 500, np.random.default_rng(0))
    assert (np.abs(widths[:, 1] - 1.5 * widths[:, 0]) <= 1.25).all()


def test_min_keep_bounds_every_group():
    widths = Independent(min_keep=0.5).propose(Support(COST), 500, np.random.default_rng(0))
    assert widths.min(axis=0).tolist() == [4, 6, 8]
    assert widths.max(axis=0).tolist() == [8, 12, 16]


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda: Space.named("s", "independant"), "independent, jittered_uniform"),
        (lambda: Space.named("s", "independent", jitter=0.1), "takes min_keep"),
        (lambda: Independent(min_keep=0.0), "min_keep"),
        (lambda: JitteredUniform(jitter=-1.0), "0 or more"),
        (lambda: Regime(1.5), "flops"),
        (lambda: Regime(0.5, 0.0), "tolerance"),
    ],
)
def test_what_is_no_space_or_regime_is_refused(call, complaint):
    with pytest.raises((InputError, StudyError), match=complaint):
        call()


def test_a_sampler_of_the_users_own_is_enough():
    class Halves:
        law = "w_g = W_g / 2 or W_g with equal chance"

        def propose(self, support, n, rng):
            sizes = support.sizes
            return np.where(rng.random((n, len(sizes))) < 0.5, sizes // 2, sizes)

    space = Space("halves", Halves())
    drawn = sample(space, COST, Regime(0.5, 0.3), 2, rng=np.random.default_rng(0))
    assert space.parameters == {}
    assert space.sampler_name.endswith("Halves")
    assert drawn.law.startswith(Halves.law)
