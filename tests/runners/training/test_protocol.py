"""Protocols: the effect of each key, reproducibility, and that defaults change nothing."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from prunestats.errors import StudyError
from prunestats.runners import build_network, load_data, trace
from prunestats.runners.data.datasets import ImageSplit
from prunestats.runners.execution.study_plan import plan_study
from prunestats.runners.study.file import content_key, demo_study_file, parse_study, read_study
from prunestats.runners.study.tables import OriginalConfig, ProtocolConfig, RecipeConfig
from prunestats.runners.training.augmentation import crop_and_flip
from prunestats.runners.training.batch_norm import recalibrate
from prunestats.runners.training.distillation import Teacher
from prunestats.runners.training.loop import DivergedError, evaluate, train
from prunestats.runners.training.protocol import PruningProtocol, _targets, prune_and_train
from prunestats.runners.training.recipe import Recipe, make_optimiser, make_schedule

DEMO = demo_study_file().read_text()
WIDTHS = (5, 4, 9, 8, 17, 16)


@pytest.fixture(scope="module")
def digits():
    """A small subset of digits, enough to test what training does, not how well."""
    data = load_data("digits")

    def first(split, n):
        return ImageSplit(split.pixels[:n].clone(), split.labels[:n].clone())

    return dataclasses.replace(data, train=first(data.train, 192), validation=first(data.validation, 64))


@pytest.fixture(scope="module")
def original(digits):
    network = build_network("resnet_digits", seed=0)
    with torch.random.fork_rng():
        train(network, digits.train, digits.validation, Recipe(4, 0.1, 64, 0.9, 5e-4), rng=np.random.default_rng(0))
    return network, trace(network, digits.example_input)


def run(original, digits, seed=0, **parameters):
    base = {"criterion": "l1", "init": "inherited", "epochs": 1, "learning_rate": 0.02, "batch_size": 64}
    base |= {"momentum": 0.9, "weight_decay": 5e-4, **parameters}
    log = []
    protocol, rng = PruningProtocol.from_parameters(base), np.random.default_rng(seed)
    network, loss = prune_and_train(*original, digits, WIDTHS, protocol, rng=rng, on_epoch=log.append)
    return network, loss, log


VARIANTS = [
    {},
    {"criterion": "geometric_median"},
    {"criterion": "taylor", "taylor_batches": 2},
    {"steps": 3, "step_epochs": 1},
    {"steps": 2, "step_epochs": 1, "criterion": "taylor"},
    {"bn_recalibration": 2},
    {"optimiser": "adamw", "learning_rate": 1e-3},
    {"schedule": "step"},
    {"epochs": 2, "warmup_epochs": 1},
    {"label_smoothing": 0.1},
    {"augment": "crop_flip"},
    {"distill_weight": 0.5},
    {"distill_weight": 0.5, "distill_temperature": 1.0},
]


def test_every_key_changes_the_result_reproducibly(original, digits):
    before = {name: value.clone() for name, value in original[0].state_dict().items()}
    losses = []
    for variant in VARIANTS:
        first, loss, log = run(original, digits, **variant)
        again, _, _ = run(original, digits, **variant)
        assert all(torch.equal(value, again.state_dict()[name]) for name, value in first.state_dict().items()), variant
        assert math.isfinite(loss)
        assert [metric.epoch for metric in log] == list(range(variant.get("epochs", 1) + 1))
        assert sum(p.numel() for p in first.parameters()) == original[1].cost.params(WIDTHS)[0]
        losses.append(evaluate(first, digits.validation)[1])
    assert len(set(losses)) == len(VARIANTS)
    assert all(torch.equal(before[name], value) for name, value in original[0].state_dict().items())


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_lower_precision_applies_to_gpus_only(original, digits, precision):
    """On a CPU results are bit for bit the same; the GPU is not tested here."""
    assert run(original, digits)[1] == run(original, digits, precision=precision)[1]


def test_a_protocol_does_not_depend_on_global_random_state(original, digits):
    torch.manual_seed(1)
    first = run(original, digits, augment="crop_flip", criterion="random")[1]
    torch.manual_seed(2)
    np.random.default_rng(3)
    state = torch.get_rng_state()
    assert run(original, digits, augment="crop_flip", criterion="random")[1] == first
    assert torch.equal(torch.get_rng_state(), state)


def test_widths_of_the_steps_are_interpolated_linearly(original):
    _, traced = original
    targets = list(_targets(traced, WIDTHS, 3))
    np.testing.assert_array_equal(targets[-1], WIDTHS)
    path = np.array([traced.cost.sizes, *targets])
    assert (np.diff(path, axis=0) <= 0).all()
    np.testing.assert_allclose(path, np.linspace(path[0], path[-1], 4), atol=1)


def test_epoch_0_is_the_network_before_fine_tuning(original, digits):
    """The pruned network; recalibrated, if the protocol recalibrates."""
    _, _, plain = run(original, digits)
    pruned, _, _ = run(original, digits, epochs=0)
    assert plain[0].val_loss == evaluate(pruned, digits.validation)[1]
    _, _, after = run(original, digits, bn_recalibration=3)
    only, _, _ = run(original, digits, bn_recalibration=3, epochs=0)
    assert after[0].val_loss == evaluate(only, digits.validation)[1] != plain[0].val_loss


def test_recalibration_averages_over_batches(digits):
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5))
    batches = [digits.train.batch(slice(0, 64)), digits.train.batch(slice(64, 128))]
    recalibrate(network, batches)
    maps = [network[0](images).detach() for images, _ in batches]
    expected = torch.stack([y.mean((0, 2, 3)) for y in maps]).mean(0)
    torch.testing.assert_close(network[1].running_mean, expected)
    variances = torch.stack([y.var((0, 2, 3), correction=1) for y in maps]).mean(0)
    torch.testing.assert_close(network[1].running_var, variances)
    assert network[1].momentum == 0.1
    assert not network.training


def recipe(**changes):
    return Recipe(**{**dataclasses.asdict(Recipe(10, 0.5, 64, 0.9, 0.0)), **changes})


def rates(plan_):
    """Learning rates of 5 steps an epoch."""
    optimiser = make_optimiser(nn.Linear(1, 1), plan_)
    schedule = make_schedule(optimiser, plan_, 5)
    found = []
    for _ in range(plan_.epochs * 5):
        found.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
    return np.array(found)


def test_schedules_follow_their_formulas():
    steps = np.arange(50)
    np.testing.assert_allclose(rates(recipe()), 0.25 * (1 + np.cos(np.pi * steps / 50)), rtol=1e-9)
    np.testing.assert_allclose(
        rates(recipe(schedule="step", milestones=(0.5, 0.8), decay=0.2)),
        0.5 * np.where(steps < 25, 1, np.where(steps < 40, 0.2, 0.04)),
    )
    warm = rates(recipe(warmup_epochs=2))
    np.testing.assert_allclose(warm[:10], 0.05 * (steps[:10] + 1))
    np.testing.assert_allclose(warm[10:], 0.25 * (1 + np.cos(np.pi * np.arange(40) / 40)))
    warm_steps = rates(recipe(schedule="step", warmup_epochs=1))
    np.testing.assert_allclose(warm_steps[[0, 4, 5, 24, 25, 38]], [0.1, 0.5, 0.5, 0.5, 0.05, 0.005])


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_steps_with_less_overhead_are_those_of_torch_bit_for_bit(momentum):
    """With a changing learning rate, and with frozen weights."""

    def trained(make):
        network = build_network("resnet_digits", seed=0)
        network.stem.weight.requires_grad_(False)
        recipe = Recipe(2, 0.001, 4, momentum=momentum, weight_decay=0.01)
        optimiser = make(network, recipe)
        schedule = make_schedule(optimiser, recipe, 3)
        for seed in range(6):
            images = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(seed))
            optimiser.zero_grad()
            network(images).square().sum().backward()
            optimiser.step()
            schedule.step()
        return network.state_dict()

    def plain(network, recipe):
        options = {"momentum": momentum, "weight_decay": recipe.weight_decay, "nesterov": momentum > 0, "fused": True}
        return torch.optim.SGD(network.parameters(), recipe.learning_rate, **options)

    expected, found = trained(plain), trained(make_optimiser)
    assert all(torch.equal(found[name], value) for name, value in expected.items())
    assert not torch.equal(found["fc.weight"], build_network("resnet_digits", seed=0).fc.weight)
    assert torch.equal(found["stem.weight"], build_network("resnet_digits", seed=0).stem.weight)


def test_optimisers_have_the_options_of_the_recipe():
    network = nn.Linear(1, 1)
    assert isinstance(make_optimiser(network, recipe(optimiser="adamw")), torch.optim.AdamW)
    assert make_optimiser(network, recipe()).defaults["nesterov"] is True
    assert make_optimiser(network, recipe(momentum=0.0)).defaults["nesterov"] is False


def test_augmented_images_are_shifts_and_flips():
    """Every output is its input, shifted by at most 4 pixels and perhaps flipped."""
    images = torch.randn(200, 2, 6, 7, generator=torch.Generator().manual_seed(0))
    found = crop_and_flip(images, np.random.default_rng(0))
    padded = functional.pad(images, (4, 4, 4, 4))
    seen = set()
    for image, before in zip(found, padded, strict=True):
        crops = {(top, left): before[:, top : top + 6, left : left + 7] for top in range(9) for left in range(9)}
        views = {
            (*place, turned): crop.flip(2) if turned else crop for place, crop in crops.items() for turned in (0, 1)
        }
        seen.add(next(key for key, view in views.items() if torch.equal(view, image)))
    assert {top for top, _, _ in seen} == {left for _, left, _ in seen} == set(range(9))
    assert {mirrored for _, _, mirrored in seen} == {0, 1}
    assert torch.equal(found, crop_and_flip(images, np.random.default_rng(0)))


def test_the_distillation_loss_is_zero_for_the_teachers_own_outputs():
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    images = torch.randn(5, 1, 8, 8)
    teacher = Teacher(network, 0.5, 3.0)
    assert float(teacher.loss(network(images).detach(), images)) == pytest.approx(0, abs=1e-6)
    own = torch.randn(5, 10)
    p = (network(images).detach() / 3).softmax(1)
    q = (own / 3).softmax(1)
    expected = 9 * (p * (p / q).log()).sum(1).mean()
    assert float(teacher.loss(own, images)) == pytest.approx(float(expected), rel=1e-5)


def test_the_recorded_training_loss_is_cross_entropy_whatever_is_minimised(original, digits):
    """With a negligible learning rate the network does not change, nor its loss on each batch."""
    still = {"learning_rate": 1e-12, "weight_decay": 0.0}
    plain = run(original, digits, **still)[1]
    for variant in ({"label_smoothing": 0.3}, {"distill_weight": 1.0}):
        assert run(original, digits, **still, **variant)[1] == pytest.approx(plain, rel=1e-5)


def test_a_loss_that_is_not_finite_stops_at_once(original, digits):
    with pytest.raises(DivergedError, match="epoch 1"):
        run(original, digits, epochs=50, learning_rate=1e13)


def test_defaults_agree_between_the_study_and_the_training():
    of_recipe = {field.name: field.default for field in dataclasses.fields(Recipe)}
    of_protocol = {field.name: field.default for field in dataclasses.fields(PruningProtocol)}
    for name in RecipeConfig.later_keys:
        assert RecipeConfig.model_fields[name].default == of_recipe[name]
    own = {"train", "evaluate", "version"}
    for name in ProtocolConfig.later_keys - RecipeConfig.later_keys - own - {"latency", "proxies"}:
        assert ProtocolConfig.model_fields[name].default == of_protocol[name]
    assert OriginalConfig.later_keys - RecipeConfig.later_keys == {
        "checkpoint",
        "pretrained",
        "finetune",
        "input",
        *own,
    }


def test_results_stored_before_later_keys_were_added_are_found_again():
    """Hashes of the demo in the first version of the database, which must not change."""
    study = read_study(demo_study_file())
    assert study.fingerprint == "81d9204828c8867f"
    assert content_key(study.protocol.parameters) == "dc8947124cbf0812"
    assert [original.task.key for original in plan_study(study).originals] == ["9bc618d46fdba08a", "d131709f246f0921"]


def test_a_key_at_its_default_does_not_change_the_identity():
    said = DEMO.replace(
        'init = "inherited"', 'optimiser = "sgd"\nsteps = 1\nmilestones = [0.5, 0.75]\ninit = "inherited"'
    )
    assert parse_study(said).fingerprint == parse_study(DEMO).fingerprint
    other = parse_study(DEMO.replace('init = "inherited"', 'optimiser = "adamw"\ninit = "inherited"'))
    assert other.fingerprint != parse_study(DEMO).fingerprint
    assert other.protocol.parameters["optimiser"] == "adamw"


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('optimiser = "adam"', "protocol.optimiser: .*found 'adam'"),
        ('schedule = "linear"', "protocol.schedule: .*found 'linear'"),
        ("decay = 0.5", "protocol: decay = 0.5 makes no sense with schedule = 'cosine'"),
        ("milestones = [0.3]", r"protocol: milestones = \(0.3,\) makes no sense with schedule = 'cosine'"),
        ('schedule = "step"\nmilestones = [0.8, 0.3]', r"protocol: milestones must increase .*found \[0.8, 0.3\]"),
        ('schedule = "step"\nmilestones = [1.5]', r"protocol.milestones.0: .*found 1.5"),
        ("warmup_epochs = 2", "protocol: warmup_epochs must be fewer than epochs, 2; found 2"),
        ("taylor_batches = 3", "protocol: taylor_batches = 3 makes no sense with criterion = 'l1'"),
        ("step_epochs = 3", "protocol: step_epochs = 3 makes no sense with steps = 1"),
        ("steps = 3", "protocol: step_epochs must be more than warmup_epochs, 0, with steps = 3; found 0"),
        ("distill_temperature = 2.0", "protocol: distill_temperature = 2.0 makes no sense without distill_weight"),
        ("distill_weight = 1.5", "protocol.distill_weight: .*found 1.5"),
        ("label_smoothing = 1.0", "protocol.label_smoothing: .*found 1.0"),
        ('augment = "mixup"', "protocol.augment: .*found 'mixup'"),
        ('precision = "int8"', "protocol.precision: .*found 'int8'"),
        ("optimizer = 1", r"protocol.optimizer is not a key of a study \(did you mean 'optimiser'\?\)"),
    ],
)
def test_a_key_without_effect_is_refused_by_name(line, complaint):
    with pytest.raises(StudyError, match=complaint) as caught:
        parse_study(DEMO.replace('init = "inherited"', f'{line}\ninit = "inherited"'))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('init = "inherited" ', 'init = "scratch"\nsteps = 2\nstep_epochs = 1', "steps = 2 makes no sense with init"),
        ('init = "inherited" ', 'init = "scratch"\nbn_recalibration = 2', "bn_recalibration = 2 makes no sense"),
        ("epochs = 2\n", "epochs = 0\nlabel_smoothing = 0.1\n", "label_smoothing = 0.1 makes no sense with epochs = 0"),
        ("epochs = 2\n", "epochs = 0\ndistill_weight = 0.1\n", "distill_weight = 0.1 makes no sense with epochs = 0"),
        ("momentum = 0.9\nweight_decay = 5e-4\nseeds = [0] ",
         'momentum = 0.8\noptimiser = "adamw"\nseeds = [0] ',
         "momentum = 0.8 makes no sense with optimiser = 'adamw'"),
        ('name = "digits" ', 'name = "digits"\nimage_size = 32', "data: image_size = 32 makes no sense with"),
        ('name = "digits" ', 'name = "images"', "data: image_size is missing"),
        ('name = "digits" ', 'name = "images"\nimage_size = 32\nresize = 8', "data: resize must be at least"),
    ],
)  # fmt: skip
def test_tables_that_contradict_themselves_are_refused(old, new, complaint):
    assert old in DEMO
    with pytest.raises(StudyError, match=complaint):
        parse_study(DEMO.replace(old, new))
