import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from prunestats.cost.model import CostModel, Layer
from prunestats.errors import InputError, StudyError
from prunestats.sampling.rejection import sample
from prunestats.spaces.samplers import Independent, JitteredUniform, LinearInDepth, SpreadControlled, StageWise
from prunestats.spaces.space import Regime, Space
from prunestats.spaces.support import Support


def chain(sizes, resolutions):
    """A plain chain of 3 x 3 convolutions: group g has the resolution resolutions[g]."""
    layers = [
        Layer(f"conv{g}", "Conv2d", ((g - 1, 1),) if g else (), 0 if g else 3, ((g, 1),), 0, 9 * side**2, 0, 9, 0)
        for g, side in enumerate(resolutions)
    ]
    return CostModel(tuple(f"g{g}" for g in range(len(sizes))), tuple(sizes), tuple(layers))


BIG = Support(chain([10_000] * 6, [8, 8, 4, 4, 2, 2]))
SMALL = Support(chain([8, 12, 16], [4, 4, 2]))


def keep_ratios(sampler, n=4000, support=BIG, seed=0):
    return sampler.propose(support, n, np.random.default_rng(seed)) / support.sizes


def test_stages_are_resolutions_and_depth_runs_from_first_to_last(resnet50_cost):
    support = Support(resnet50_cost)
    names = np.array(resnet50_cost.group_names)
    assert support.stages[names == "stem"].tolist() == [0]
    assert [int(support.stages[names == f"{stage}.stream"][0]) for stage in range(4)] == [1, 2, 3, 4]
    # the outputs of a first 1 x 1 convolution, before the stride, have the resolution of the previous stage
    assert support.stages[names == "1.0.conv1"].tolist() == [1]
    assert sorted(support.depths.tolist()) == pytest.approx(np.linspace(0, 1, 37).tolist())
    assert support.depths[0] == 0
    assert names[np.argmax(support.depths)] == "3.2.conv2"


def test_a_group_that_nothing_writes_has_no_stage():
    support = Support(CostModel(("a", "b"), (4, 4), (Layer("fc", "Linear", ((0, 1),), 0, (), 10, 1, 0, 1, 0),)))
    with pytest.raises(InputError, match="found none for 'a'"):
        StageWise().propose(support, 2, np.random.default_rng(0))


def test_stage_wise_keeps_one_uniform_ratio_per_stage_independently():
    keep = keep_ratios(StageWise(min_keep=0.2))
    assert np.abs(keep[:, ::2] - keep[:, 1::2]).max() <= 1e-4
    for stage in range(3):
        assert stats.kstest(keep[:, 2 * stage], stats.uniform(0.2, 0.8).cdf).pvalue > 1e-3
    between = np.corrcoef(keep[:, ::2].T)
    assert np.abs(between[np.triu_indices(3, 1)]).max() < 4 / np.sqrt(4000)


def test_jitter_is_the_spread_of_log_ratios_within_a_stage():
    keep = keep_ratios(StageWise(jitter=0.05, min_keep=0.1))
    inner = keep[(keep < 0.8).all(axis=1) & (keep > 0.2).all(axis=1)]
    difference = np.log(inner[:, 0] / inner[:, 1])
    assert difference.std() == pytest.approx(0.05 * np.sqrt(2), rel=0.06)


def test_linear_in_depth_is_linear_between_two_uniform_end_points():
    keep = keep_ratios(LinearInDepth(min_keep=0.1))
    assert np.abs(np.diff(keep, n=2, axis=1)).max() <= 4e-4
    for end in (0, -1):
        assert stats.kstest(keep[:, end], stats.uniform(0.1, 0.9).cdf).pvalue > 1e-3
    assert abs(np.corrcoef(keep[:, 0], keep[:, -1])[0, 1]) < 4 / np.sqrt(4000)


@pytest.mark.parametrize("spread", [0.0, 0.05, 0.2])
def test_spread_controlled_has_the_spread_that_was_asked_for_in_every_draw(spread):
    keep = keep_ratios(SpreadControlled(spread=spread, min_keep=0.05))
    np.testing.assert_allclose(keep.std(axis=1), spread, atol=1e-4)
    assert keep.min() >= 0.05
    assert keep.max() <= 1


def test_the_spread_holds_inside_a_regime_too(resnet50_cost):
    space = Space("spread", SpreadControlled(spread=0.15))
    drawn = sample(space, resnet50_cost, Regime(0.25, 0.02), 50, rng=np.random.default_rng(0))
    np.testing.assert_allclose((drawn.widths / resnet50_cost.sizes).std(axis=1), 0.15, atol=2e-3)


def test_a_spread_that_does_not_fit_is_refused():
    with pytest.raises(InputError, match="ask for a smaller spread"):
        keep_ratios(SpreadControlled(spread=0.49, min_keep=0.3), n=3)
    with pytest.raises(InputError, match="two groups"):
        keep_ratios(SpreadControlled(), support=Support(chain([8], [4])))


def test_stage_wise_has_the_distribution_that_it_declares():
    """Chi-square on a small network against exact probabilities: products of the lengths of intervals of k."""
    edges = np.unique(np.concatenate([(np.arange(1, size + 1) - 0.5) / size for size in (8, 12, 16)] + [[0.05, 1.0]]))
    edges = edges[(edges >= 0.05) & (edges <= 1.0)]
    middles, chances = (edges[:-1] + edges[1:]) / 2, np.diff(edges) / 0.95
    exact: dict[tuple[int, ...], float] = {}
    for (one, p), (two, q) in itertools.product(zip(middles, chances, strict=True), repeat=2):
        widths = tuple(max(1, round(k * size)) for k, size in ((one, 8), (one, 12), (two, 16)))
        exact[widths] = exact.get(widths, 0.0) + p * q
    drawn = StageWise().propose(SMALL, 60_000, np.random.default_rng(1))
    found, counts = np.unique(drawn, axis=0, return_counts=True)
    observed = dict(zip(map(tuple, found.tolist()), counts.tolist(), strict=True))
    assert set(observed) <= set(exact)
    assert sum(exact.values()) == pytest.approx(1)
    expected = {widths: 60_000 * p for widths, p in exact.items() if 60_000 * p >= 5}
    rest = 60_000 - sum(expected.values())
    seen = [observed.get(widths, 0) for widths in expected]
    assert stats.chisquare([*seen, 60_000 - sum(seen)], [*expected.values(), rest]).pvalue > 1e-3


@given(st.integers(1, 40), st.integers(1, 12), st.integers(1, 20), st.floats(0.0, 45.0), st.floats(0.01, 1.0))
def test_nearest_is_the_nearest_width_of_the_support(size, divisor, minimum, target, min_keep):
    support = Support(chain([size], [1]), minimum, divisor)
    least = max(1, int(np.ceil(min_keep * size - 1e-9)), min(minimum, size))
    open_widths = [w for w in range(least, size + 1) if w % divisor == 0 or w == size]
    found = int(support.nearest(np.array([[target]]), min_keep)[0, 0])
    assert found in open_widths
    assert abs(found - target) == min(abs(w - target) for w in open_widths)
    assert support.least(min_keep).tolist() == [open_widths[0]]
    drawn = support.uniform(400, np.random.default_rng(0), min_keep).ravel()
    assert set(drawn.tolist()) == set(open_widths)
    if len(open_widths) > 1:
        counts = [int((drawn == w).sum()) for w in open_widths]
        assert stats.chisquare(counts).pvalue > 1e-6


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: StageWise(jitter=-0.1), "jitter must be 0 or more"),
        (lambda: LinearInDepth(min_keep=1.2), "min_keep"),
        (lambda: SpreadControlled(spread=float("nan")), "spread must be 0 or more"),
        (lambda: Space.named("s", "stage_wise", jiter=0.1), "takes jitter, min_keep"),
        (lambda: Space.named("s", "no_such:Thing"), "cannot be imported .*PYTHONPATH"),
        (lambda: Space.named("s", "prunestats.errors:InputError"), "must have a law and a propose"),
    ],
)
def test_what_is_no_sampler_is_refused(make, complaint):
    with pytest.raises((InputError, StudyError), match=complaint):
        make()


OWN = """
from dataclasses import dataclass
import numpy as np

@dataclass(frozen=True)
class Either:
    few: int = 2
    law = "every group keeps `few` filters or all, with equal chance"

    def propose(self, support, n, rng):
        return np.where(rng.random((n, support.sizes.size)) < 0.5, self.few, support.sizes)
"""


def test_a_sampler_of_the_users_own_is_named_in_a_study_and_stored_by_its_class(tmp_path, monkeypatch):
    (tmp_path / "samplers_of_mine.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    space = Space.named("either", "samplers_of_mine:Either", few=4)
    assert space.sampler_name == "samplers_of_mine:Either"
    assert space.parameters == {"few": 4}
    assert Space.named("either", space.sampler_name, **space.parameters) == space
    widths = space.sampler.propose(SMALL, 100, np.random.default_rng(0))
    assert set(widths[:, 2].tolist()) == {4, 16}
    with pytest.raises(StudyError, match="takes few"):
        Space.named("either", "samplers_of_mine:Either", many=4)


def test_a_sampler_that_leaves_its_support_is_refused_by_name():
    class Wild:
        law = "anything"

        def propose(self, support, n, rng):
            return np.tile(support.sizes + 1, (n, 1))

    with pytest.raises(InputError, match=r"Wild must propose widths from 1 to 8 .*'g0'; found 9 to 9"):
        sample(Space("wild", Wild()), SMALL.cost, Regime(0.5, 0.3), 2, rng=np.random.default_rng(0))


@pytest.mark.parametrize(
    "sampler",
    [Independent(), JitteredUniform(), StageWise(0.1), LinearInDepth(0.1), SpreadControlled(0.1)],
    ids=lambda sampler: type(sampler).__name__,
)
def test_every_sampler_survives_storage_and_draws_the_first_ones_alike(sampler, resnet50_cost):
    space = Space("s", sampler)
    assert Space.named("s", space.sampler_name, **space.parameters) == space
    few, many = (
        sample(space, resnet50_cost, Regime(0.5, 0.02), n, rng=np.random.default_rng(4)).widths for n in (5, 15)
    )
    np.testing.assert_array_equal(few, many[:5])


def test_listed_subnetworks_are_drawn_once_in_their_order_and_left_out_outside_the_band():
    cost = CostModel(("a", "b"), (64, 64), (Layer("conv", "Conv2d", ((0, 1),), 0, ((1, 1),), 0, 9, 0, 9, 0),))
    rows = [[40, 51], [64, 64], [51, 40], [45, 45]]
    space = Space.named("mine", "listed", widths=rows)
    drawn = sample(space, cost, Regime(0.5, 0.02), 3, rng=np.random.default_rng(0))
    assert drawn.widths.tolist() == [rows[0], rows[2], rows[3]]
    with pytest.raises(InputError, match="draw fewer"):
        sample(space, cost, Regime(0.5, 0.02), 4, rng=np.random.default_rng(0), max_attempts=20_000)


@pytest.mark.parametrize(
    ("widths", "reason"),
    [
        ([], "a list with a list"),
        ([3, 4], "a list with a list"),
        ([[3, 0]], r"1 or more; found \[3, 0\]"),
        ([[3, 4.0]], "whole numbers"),
        ([[3], [3, 4]], "one number a group"),
        ([[3, 4], [3, 4]], "found some twice"),
    ],
)
def test_lists_that_name_no_subnetworks_are_refused(widths, reason):
    with pytest.raises(InputError, match=reason):
        Space.named("mine", "listed", widths=widths)


def test_lists_for_another_network_are_refused():
    cost = CostModel(("a", "b"), (64, 64), (Layer("conv", "Conv2d", ((0, 1),), 0, ((1, 1),), 0, 9, 0, 9, 0),))
    space = Space.named("mine", "listed", widths=[[3, 4, 5]])
    with pytest.raises(InputError, match="each of 2 groups; found 3"):
        sample(space, cost, Regime(0.5, 0.02), 1, rng=np.random.default_rng(0))
