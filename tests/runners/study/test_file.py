from pathlib import Path

import pytest

from prunestats.errors import StudyError
from prunestats.runners.execution.study_plan import network_depth, plan_study
from prunestats.runners.study.file import Study, demo_study_file, parse_study, read_study, with_subnetworks

DEMO = demo_study_file().read_text()


def test_the_demos_study_is_complete():
    study = read_study(demo_study_file())
    assert [space.name for space in study.spaces] == ["initial", "uniform"]
    assert study.population.subnetworks == 60
    assert study.originals[0].seeds == (0, 1)


def test_the_fingerprint_depends_on_the_content_and_not_on_the_layout():
    same = parse_study(DEMO.replace("seed = 2304", "seed    =   2304  # spaced"))
    other = parse_study(DEMO.replace("seed = 2304", "seed = 2305"))
    assert same.fingerprint == parse_study(DEMO).fingerprint != other.fingerprint


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("tolerance = 0.02", "tolerence = 0.02", r"regimes\.tolerence is not a key .*'tolerance'"),
        ("[population]", "[populations]", r"populations is not a key .*'population'"),
        ("subnetworks = 60 ", "subnetworks = 0 ", r"population\.subnetworks: .*found 0"),
        ("flops = [0.5, 0.25, 0.1]", "flops = [1.5]", r"regimes\.flops\.0: .*found 1\.5"),
        ("flops = [0.5, 0.25, 0.1]", "flops = [0.5, 0.5]", r"regimes\.flops must differ"),
        ('network = "resnet_digits"', 'network = "resnet_digit"', r"originals\.0\.network: .*'resnet_digits'"),
        ('sampler = "independent"', 'sampler = "indep"', r"spaces\.0: sampler must be one of .*'indep'"),
        ("jitter = 0.1", "jiter = 0.1", r"spaces\.1: jiter is no parameter"),
        ("jitter = 0.1", 'jitter = "much"', r"spaces\.1"),
        ("jitter = 0.1", "regimes = [0.3]", r"spaces\.1\.regimes must be among \[0\.5, 0\.25, 0\.1\]; found 0\.3"),
        ("jitter = 0.1", "regimes = []", r"spaces\.1\.regimes"),
        ("jitter = 0.1", 'constraints = [{ kind = "ratio" }]', r"spaces\.1: a constraint must have a kind, one of"),
        ("jitter = 0.1", 'constraints = { kind = "ratio_band" }', r"spaces\.1: constraints must be a list of tables"),
        ("jitter = 0.1", 'constraints = [{ kind = "ratio_band" }]', r"spaces\.1: ratio_band needs low, high or both"),
        (
            'sampler = "independent"',
            'sampler = "nomodule:Mine"',
            r"spaces\.0: sampler 'nomodule:Mine' cannot be imported",
        ),
        ('criterion = "l1"', 'criterion = "l7"', r"protocol\.criterion: .*found 'l7'"),
        ('name = "demo" ', "", r"name is missing"),
        ("seed = 2304", "seed = = 3", r"not valid TOML"),
        ('name = "digits" ', 'name = "mnist" ', r"data\.name: must be one of digits, .*, parquet or module:function"),
        ('name = "digits" ', 'name = "parket" ', r"data\.name: .* \(did you mean 'parquet'\?\); found 'parket'"),
        (
            'name = "digits" ',
            'name = "digits"\nimage_size = 8 ',
            r"data: image_size = 8 makes no sense with name = 'digits'",
        ),
        ('name = "digits" ', 'name = "npz"\nresize = 8 ', r"data: resize = 8 makes no sense with name = 'npz'"),
        (
            'name = "digits" ',
            'name = "parquet"\nstored_size = 8 ',
            r"data: stored_size = 8 makes no sense without image_size",
        ),
        (
            'name = "digits" ',
            'name = "images"\nimage_size = 8\nstored_size = 7 ',
            r"data: stored_size must be at least image_size, 8; found 7",
        ),
        (
            'name = "digits" ',
            'name = "images"\nimage_size = 8\nstored_size = 9\nresize = 8 ',
            r"data: resize must be at least stored_size, 9; found 8",
        ),
        (
            'name = "digits" ',
            'name = "task:sets"\nfolder = "x" ',
            r"data: folder = 'x' makes no sense with name = 'task:",
        ),
        (
            'name = "digits" ',
            'name = "digits"\nworkers = 2 ',
            r"data: workers = 2 makes no sense .* are for module:function",
        ),
        ('name = "digits" ', 'name = "digits"\nversion = 2 ', r"data: version = 2 makes no sense"),
        ('name = "digits" ', 'name = "digits"\ntrain_images = 0 ', r"data\.train_images: .*found 0"),
        ('# augment = "none" ', 'augment = "crop" ', r"originals\.0\.augment: .*'resized_crop_flip'; found 'crop'"),
    ],
)
def test_a_wrong_key_is_named_in_one_line(old, new, complaint):
    assert old in DEMO
    with pytest.raises(StudyError, match=complaint) as caught:
        parse_study(DEMO.replace(old, new), "my.toml")
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("my.toml")


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("flops = [0.5, 0.25, 0.1]", "flops = [0.0005]", r"regimes\.flops, 0\.0005 .*below the smallest subnetwork"),
        ('name = "digits" ', 'name = "cifar10"\nfolder = "no/where" ', r"data\.folder: .*found nothing at 'no/where'"),
        ('network = "resnet_digits"', 'network = "nomodule:f"', r"originals\.0\.network: .*cannot be imported"),
        ("seeds = [0, 1]", "seeds = [1, 1]", "the same one twice"),
        (
            "jitter = 0.1",
            'constraints = [{ kind = "parameter_band", high = 1e-4 }]',
            r"0\.5 of resnet_digits: space 'uniform' cannot have parameters at most 0\.0001",
        ),
    ],
)
def test_an_impossible_study_is_refused_before_anything_is_trained(old, new, complaint):
    with pytest.raises(StudyError, match=complaint):
        plan_study(parse_study(DEMO.replace(old, new)))


def test_a_missing_study_file_says_what_to_do(tmp_path):
    with pytest.raises(StudyError, match="prunestats init"):
        read_study(tmp_path / "absent.toml")


@pytest.mark.parametrize("line", ["subnetworks = 60 ", "subnetworks=60", "  subnetworks  =  6_0"])
def test_another_number_of_subnetworks_keeps_all_else_and_the_comments(line):
    text = DEMO.replace("subnetworks = 60 ", line)
    changed = with_subnetworks(text, 4)
    assert parse_study(changed).population.subnetworks == 4
    assert changed == text.replace(line, line.replace("60", "4").replace("6_0", "4"))


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("subnetworks = 60 ", "", "expected one line `subnetworks = N` in the study; found 0"),
        ("[population]\nsubnetworks = 60 ", "[population]\n'subnetworks' = 60 ", "found 0: write it below"),
        ("seed = 2304 ", 'refines = """\nsubnetworks = 3\n"""\nseed = 2304 ', "found 2: write it below"),
    ],
)
def test_a_study_without_one_number_of_subnetworks_is_refused(old, new, complaint):
    assert old in DEMO
    with pytest.raises(StudyError, match=complaint):
        with_subnetworks(DEMO.replace(old, new, 1), 4)


def test_a_number_of_subnetworks_that_is_only_text_is_refused():
    text = DEMO.replace("subnetworks = 60 ", "").replace(
        "seed = 2304 ", 'refines = """\nsubnetworks = 60\n"""\nseed = 1 '
    )
    with pytest.raises(StudyError, match=r"below \[population\]; found it elsewhere: move it there"):
        with_subnetworks(text, 4)


def test_the_same_file_gives_the_same_subnetworks():
    first, second = plan_study(parse_study(DEMO)), plan_study(parse_study(DEMO))
    assert [p.keys for p in first.populations] == [p.keys for p in second.populations]
    assert first.n_runs == 2 * 3 * 2 * 60
    assert network_depth(first.originals) == 10


def test_populations_of_different_originals_regimes_and_spaces_differ():
    keys = [tuple(map(tuple, p.sample.widths.tolist())) for p in plan_study(parse_study(DEMO)).populations]
    assert len(set(keys)) == len(keys) == 12


def test_a_later_key_is_omitted_at_its_default():
    """Studies that were stored before the key was added keep their hash."""
    study, measured = parse_study(DEMO), parse_study(DEMO.replace("# latency = true ", "latency = true "))
    assert "latency" not in study.protocol.parameters
    assert "latency" not in study.model_dump_json()
    assert measured.protocol.parameters == {**study.protocol.parameters, "latency": True}
    assert measured.fingerprint != study.fingerprint
    assert Study.model_validate_json(measured.model_dump_json()) == measured


def with_data(*lines):
    """The demo's study on data of a function."""
    start, end = DEMO.index("[data]"), DEMO.index("# Originals")
    return parse_study("\n".join([DEMO[:start], "[data]", 'name = "task:sets"', *lines, DEMO[end:]]))


def test_how_many_processes_read_images_is_no_part_of_a_study():
    plain = with_data()
    assert with_data("workers = 3").fingerprint == plain.fingerprint
    assert len({with_data(line).fingerprint for line in ("", "version = 2", 'version = "2"', "train_images = 9")}) == 4
    for key in ("workers", "version", "train_images", "stored_size"):
        assert key not in plain.data.model_dump()
    assert Study.model_validate_json(plain.model_dump_json()) == plain


def test_constraints_of_a_study_bound_every_population_and_change_no_other():
    limits = (
        'jitter = 0.3\nconstraints = [{ kind = "width_divisor", divisor = 2 }, { kind = "parameter_band", high = 0.9 }]'
    )
    before, after = plan_study(parse_study(DEMO)), plan_study(parse_study(DEMO.replace("jitter = 0.1", limits)))
    for old, new in zip(before.populations, after.populations, strict=True):
        if new.space.name == "initial":
            assert old.keys == new.keys
        else:
            assert (new.sample.widths % 2 == 0).all()
            assert (new.sample.params <= 0.9 * new.original.params).all()
            assert "multiples of 2" in new.sample.law


def test_the_first_samples_of_the_demo_are_those_from_before_constraints_were_added():
    populations = plan_study(parse_study(DEMO)).populations
    assert [population.sample.widths[0].tolist() for population in populations[:6]] == [
        [16, 9, 25, 23, 39, 15],
        [11, 10, 22, 25, 46, 46],
        [2, 7, 31, 17, 49, 32],
        [8, 8, 16, 16, 31, 32],
        [5, 5, 27, 2, 11, 43],
        [6, 5, 7, 9, 21, 18],
    ]
    assert [population.space.parameters for population in populations[:2]] == [
        {"min_keep": 0.05},
        {"jitter": 0.1, "min_keep": 0.05},
    ]


def test_a_space_is_sampled_in_its_regimes_only_and_no_other_sample_changes():
    everywhere = parse_study(DEMO)
    some = parse_study(DEMO.replace("jitter = 0.1", "jitter = 0.1\nregimes = [0.25]"))
    assert "regimes" not in everywhere.model_dump(mode="json")["spaces"][1]
    assert some.fingerprint != everywhere.fingerprint
    assert Study.model_validate_json(some.model_dump_json()) == some
    kept = [p for p in plan_study(everywhere).populations if p.space.name == "initial" or p.regime.flops == 0.25]
    assert [p.keys for p in plan_study(some).populations] == [p.keys for p in kept]


@pytest.mark.parametrize(
    "path", sorted((Path(__file__).parents[3] / "studies").glob("*.toml")), ids=lambda path: path.stem
)
def test_the_studies_of_several_originals_can_be_read(path):
    study = read_study(path)
    assert len({original.network for original in study.originals}) >= 3
    assert study.name == path.stem.replace("_", " ")
