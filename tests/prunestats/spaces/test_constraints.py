import itertools

import numpy as np
import pytest
from scipy import stats

from prunestats.cost.model import CostModel, Layer
from prunestats.errors import InputError, StudyError
from prunestats.sampling.rejection import sample
from prunestats.spaces.space import (
    FlopsBand,
    Independent,
    JitteredUniform,
    MinimalWidth,
    ParameterBand,
    RatioBand,
    Regime,
    Space,
    WidthDivisor,
)

COST = CostModel(
    ("a", "b", "c"),
    (8, 12, 18),
    (
        Layer("one", "Conv2d", ((0, 1),), 0, ((1, 1),), 0, 36, 0, 9, 0),
        Layer("two", "Conv2d", ((1, 1),), 0, ((2, 1),), 0, 9, 0, 9, 0),
    ),
)
EVERYTHING = np.array(list(itertools.product(range(1, 9), range(1, 13), range(1, 19))))
WIDE = Regime(0.4, 0.3)


def inside(regime, widths=EVERYTHING):
    low, high = regime.bounds(int(COST.flops(COST.sizes)[0]))
    return (COST.flops(widths) >= low) & (COST.flops(widths) <= high)


def draw(*constraints, sampler=None, regime=WIDE, n=20, seed=0, **options):
    space = Space("s", sampler or Independent(0.01), constraints)
    return sample(space, COST, regime, n, rng=np.random.default_rng(seed), **options)


CASES = {
    "ratio": ((RatioBand(1.8, 2.3),), lambda w: np.abs(COST.ratio(w) - 2.05) <= 0.25),
    "ratio in buckets": ((RatioBand(high=150.0, bucket=128),), lambda w: COST.ratio(w, 128) <= 150),
    "parameters": (
        (ParameterBand(0.4, 0.5),),
        lambda w: np.abs(COST.params(w) / COST.params([8, 12, 18]) - 0.45) <= 0.05,
    ),
    "FLOPs": ((FlopsBand(low=0.45),), lambda w: COST.flops(w) / COST.flops([8, 12, 18]) >= 0.45),
    "minimal width": ((MinimalWidth(5),), lambda w: (w >= 5).all(axis=1)),
    "divisor": ((WidthDivisor(4),), lambda w: ((w % 4 == 0) | (w == [8, 12, 18])).all(axis=1)),
    "two divisors": (
        (WidthDivisor(2), WidthDivisor(3)),
        lambda w: ((w % 6 == 0) | (w == [8, 12, 18])).all(axis=1),
    ),
    "all at once": (
        (WidthDivisor(2), MinimalWidth(3), RatioBand(low=2.0), ParameterBand(high=0.45)),
        lambda w: (
            (w % 2 == 0).all(axis=1)
            & (w >= 3).all(axis=1)
            & (COST.ratio(w) >= 2)
            & (COST.params(w) / COST.params([8, 12, 18]) <= 0.45)
        ),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_distribution_is_uniform_conditional_on_the_constraints(name, monkeypatch):
    """Chi-square of first samples against the exact distribution: uniform over all widths that satisfy everything."""
    monkeypatch.setattr("prunestats.sampling.rejection._BLOCK", 64)
    constraints, satisfied = CASES[name]
    allowed = EVERYTHING[inside(WIDE) & satisfied(EVERYTHING)]
    place = {tuple(row): number for number, row in enumerate(allowed.tolist())}
    cells = min(30, len(allowed))
    counts = np.zeros(cells)
    for seed in range(500):
        counts[place[tuple(draw(*constraints, n=1, seed=seed).widths[0].tolist())] * cells // len(allowed)] += 1
    sizes = np.bincount(np.arange(len(allowed)) * cells // len(allowed), minlength=cells)
    assert stats.chisquare(counts, 500 * sizes / len(allowed)).pvalue > 1e-3


@pytest.mark.parametrize("name", CASES)
def test_every_sampler_satisfies_every_constraint(name):
    constraints, satisfied = CASES[name]
    drawn = draw(*constraints, sampler=JitteredUniform(0.5), n=3)
    assert satisfied(drawn.widths).all()
    assert inside(WIDE, drawn.widths).all()


def test_acceptance_estimates_the_probability_of_band_and_constraints():
    constraints, satisfied = CASES["parameters"]
    mass = (inside(WIDE) & satisfied(EVERYTHING)).mean()
    drawn = draw(*constraints, n=100)
    assert abs(drawn.acceptance - mass) < 4 * np.sqrt(mass * (1 - mass) / drawn.attempts)


def test_jittered_widths_under_a_divisor_are_the_nearest_multiples():
    space = Space("s", JitteredUniform(0.0, min_keep=0.3), (WidthDivisor(4),))
    widths = space.sampler.propose(space.support(COST), 5000, np.random.default_rng(0))
    keep = np.random.default_rng(0).uniform(0.3, 1.0, size=(5000, 1))
    open_widths = [np.array(w) for w in ([4, 8], [4, 8, 12], [8, 12, 16, 18])]
    for group, allowed in enumerate(open_widths):
        distance = np.abs(keep * COST.group_sizes[group] - allowed[None, :])
        np.testing.assert_array_equal(widths[:, group], allowed[np.argmin(distance, axis=1)])


def test_a_space_whose_subnetworks_were_all_drawn_says_so():
    allowed = EVERYTHING[inside(WIDE) & CASES["two divisors"][1](EVERYTHING)]
    assert len(draw(WidthDivisor(6), n=len(allowed), max_attempts=100_000).widths) == len(allowed)
    with pytest.raises(InputError, match=f"gave {len(allowed)} of 60 .* repeated one of them: draw fewer, or widen"):
        draw(WidthDivisor(6), n=60, max_attempts=100_000)


def test_constraints_are_part_of_the_distribution_and_stored():
    space = Space("s", Independent(), (RatioBand(95.0, 120.5, bucket=4096), WidthDivisor(8), MinimalWidth(4)))
    assert space.law == (
        f"{Independent().law}; among widths that are multiples of 8, or W_g and widths of at least min(4, W_g); "
        "given FLOPs per bucket of 4096 parameters in [95, 120.5]"
    )
    assert space.parameters["constraints"][0] == {"kind": "ratio_band", "low": 95.0, "high": 120.5, "bucket": 4096}
    assert Space.named("s", "independent", **space.parameters) == space
    assert draw(MinimalWidth(3)).law.startswith(Space("s", Independent(0.01), (MinimalWidth(3),)).law)


def test_a_space_without_constraints_is_stored_as_before():
    assert Space("s", Independent(0.1)).parameters == {"min_keep": 0.1}
    assert Space("s", Independent(0.1)).law == Independent(0.1).law


@pytest.mark.parametrize(
    ("constraints", "complaint"),
    [
        ((ParameterBand(high=0.001),), r"cannot have parameters at most 0\.001 .*smallest subnetwork has 0\.0"),
        ((FlopsBand(high=0.1),), r"cannot have FLOPs at most 0\.1 .*the regime asks for 0\.28 to 0\.52"),
        ((MinimalWidth(8), WidthDivisor(8)), "below the smallest subnetwork of space 's'"),
        ((RatioBand(low=3.9),), r"of \d+ proposals before it, 0 had FLOPs per parameter at least 3\.9: widen"),
        ((MinimalWidth(2), RatioBand(high=4.0), ParameterBand(low=0.9)), r"0 had parameters at least 0\.9"),
    ],
)
def test_an_impossible_constraint_is_refused_by_name(constraints, complaint):
    with pytest.raises(InputError, match=complaint) as caught:
        draw(*constraints, regime=Regime(0.4, 0.3), max_attempts=50_000)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: RatioBand(), "ratio_band needs low, high or both"),
        (lambda: RatioBand(5.0, 2.0), "0 < low <= high; found low 5.0, high 2.0"),
        (lambda: RatioBand(5.0, bucket=0), "bucket must be a whole number"),
        (lambda: ParameterBand(200_000.0), "parameter_band is in fractions"),
        (lambda: FlopsBand(0.1, 25.0), "flops_band is in fractions"),
        (lambda: MinimalWidth(0), "filters must be a whole number"),
        (lambda: WidthDivisor(2.5), "divisor must be a whole number"),
    ],
)
def test_a_constraint_that_makes_no_sense_is_refused(make, complaint):
    with pytest.raises(InputError, match=complaint):
        make()


@pytest.mark.parametrize(
    ("constraints", "complaint"),
    [
        ({"kind": "ratio_band"}, "a list of tables"),
        ([{"low": 3.0}], "must have a kind, one of flops_band"),
        ([{"kind": "ratio", "low": 3.0}], "must have a kind"),
        (["ratio_band"], "must have a kind"),
        ([{"kind": "ratio_band", "lo": 3.0}], "lo is no parameter of constraint 'ratio_band', which takes low, high"),
        ([{"kind": "ratio_band", "low": "3"}], "takes low, high, bucket as numbers"),
        ([{"kind": "minimal_width"}], "takes filters"),
    ],
)
def test_a_constraint_that_is_written_wrong_is_refused(constraints, complaint):
    with pytest.raises(StudyError, match=complaint):
        Space.named("s", "independent", constraints=constraints)
