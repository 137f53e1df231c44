"""Pretrained weights of timm, torchvision and a user's own function, from caches that the tests write; no network."""

import os
import sys
import types

import pytest
import safetensors.torch
import torch
from torch import nn

from prunestats.errors import InputError
from prunestats.runners import build_network
from prunestats.runners.networks.pretrained import pretrained_weights
from prunestats.runners.networks.weight_caches import hub_files, torch_file, without_downloads

URL = "https://download.pytorch.org/models/resnet18-f37072fd.pth"


@pytest.fixture(autouse=True)
def caches(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    for key in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        monkeypatch.delenv(key, raising=False)
    return tmp_path


@pytest.fixture
def own(monkeypatch):
    def named(found):
        module = types.ModuleType("my_pretrained")
        module.net = found
        monkeypatch.setitem(sys.modules, "my_pretrained", module)
        return "my_pretrained:net"

    return named


def in_hub(model, state):
    """Write weights where the Hugging Face hub keeps them: a branch points to a snapshot."""
    folder = hub_files(model)[0].parents[2]
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("0123abc\n")
    file = hub_files(model)[0]
    assert file.parent.name == "0123abc"
    file.parent.mkdir(parents=True)
    safetensors.torch.save_file(state, file)


def at_torch(url, state):
    file = torch_file(url)
    file.parent.mkdir(parents=True)
    torch.save(state, file)


@pytest.mark.usefixtures("collections")
def test_timms_weights_are_read_from_the_hubs_cache_with_their_normalisation():
    made = build_network("timm:test_resnet.r160_in1k", num_classes=1000, seed=5).state_dict()
    in_hub("timm/test_resnet.r160_in1k", made)
    for name in ("timm:test_resnet.r160_in1k", "timm:test_resnet"):
        found = pretrained_weights(name, True, 10)
        assert all(torch.equal(found.state[key], value) for key, value in made.items())
        assert (found.mean, found.std, found.configuration) == ((0.5,) * 3, (0.5,) * 3, "timm's pretrained_cfg")
    again = pretrained_weights("timm:test_resnet", True, 7)
    assert again.sha256 == found.sha256
    assert again.random == frozenset()


@pytest.mark.usefixtures("collections")
def test_the_hash_is_of_the_weights_and_not_of_their_file():
    made = build_network("timm:resnet18.a1_in1k", num_classes=1000, seed=5).state_dict()
    at_torch("https://x.org/resnet18_a1_0-d63eafa0.pth", made)
    first = pretrained_weights("timm:resnet18.a1_in1k", True, 10)
    in_hub("timm/resnet18.a1_in1k", made)
    second = pretrained_weights("timm:resnet18.a1_in1k", True, 10)
    assert first.sha256 == second.sha256
    file = hub_files("timm/resnet18.a1_in1k")[0]
    safetensors.torch.save_file({**made, "fc.bias": made["fc.bias"] + 1}, file)
    assert pretrained_weights("timm:resnet18.a1_in1k", True, 10).sha256 != first.sha256


@pytest.mark.usefixtures("collections")
def test_a_model_that_timm_itself_takes_from_a_folder(tmp_path):
    network = build_network("timm:test_resnet", num_classes=12, seed=5)
    safetensors.torch.save_file(network.state_dict(), tmp_path / "model.safetensors")
    config = '{"architecture": "test_resnet", "num_classes": 12, "pretrained_cfg": {"mean": [0.1, 0.2, 0.3], '
    config += '"std": [0.4, 0.5, 0.6], "num_classes": 12, "classifier": "fc", "first_conv": "conv1.0"}}'
    (tmp_path / "config.json").write_text(config)
    found = pretrained_weights(f"timm:local-dir:{tmp_path}", True, 10)
    assert torch.equal(found.state["fc.weight"], network.state_dict()["fc.weight"])
    assert found.mean == (0.1, 0.2, 0.3)


@pytest.mark.usefixtures("collections")
def test_torchvisions_weights_are_read_from_torchs_cache():
    made = build_network("torchvision:resnet18", num_classes=1000, seed=5).state_dict()
    at_torch(URL, made)
    for which in (True, "IMAGENET1K_V1"):
        found = pretrained_weights("torchvision:resnet18", which, 10)
        assert all(torch.equal(found.state[key], value) for key, value in made.items())
        assert (found.mean, found.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@pytest.mark.usefixtures("collections")
def test_googlenets_weights_take_the_normalisation_that_its_forward_pass_would_make(caches):
    """With weights, torchvision turns ImageNet's normalisation into that by 0.5; with other classes, it does not."""
    import torchvision

    with torch.random.fork_rng():
        torch.manual_seed(0)
        whole = torchvision.models.googlenet(aux_logits=True, init_weights=False, transform_input=True)
    at_torch("https://download.pytorch.org/models/googlenet-1378be20.pth", whole.state_dict())
    found = pretrained_weights("torchvision:googlenet", True, 10)
    assert found.mean == found.std == (0.5, 0.5, 0.5)
    network = build_network("torchvision:googlenet", num_classes=1000, seed=0)
    network.load_state_dict(found.state)
    image = torch.rand(1, 3, 64, 64)
    published = (image - torch.tensor([0.485, 0.456, 0.406])[:, None, None]) / torch.tensor([0.229, 0.224, 0.225])[
        :, None, None
    ]
    with torch.no_grad():
        expected, got = whole.eval()(published), network.eval()((image - 0.5) / 0.5)
    assert torch.allclose(got, expected, atol=1e-4)


@pytest.mark.usefixtures("collections")
@pytest.mark.parametrize(
    ("name", "which", "complaint"),
    [
        ("timm:resnet18.a1_in1k", True, r"looked for .*models--timm--resnet18.a1_in1k.* and .*resnet18_a1_0-d63eafa0"),
        ("timm:resnet18.a1_in1k", True, r"type python -c \"import timm; timm.create_model\('resnet18.a1_in1k', pretra"),
        ("timm:resnet18", "a1_in1k", 'must be true for timm.*write network = "timm:resnet18.a1_in1k"'),
        ("torchvision:resnet18", True, r"IMAGENET1K_V1 are not on this machine.*looked for .*resnet18-f37072fd\.pth"),
        ("torchvision:resnet50", "V7", "no weights 'V7' for 'resnet50': expected true or one of IMAGENET1K_V1,"),
        ("resnet20", True, "'resnet20' is built in, without pretrained weights: name a file"),
    ],
)
def test_weights_that_are_not_there_are_refused_in_one_line(name, which, complaint):
    with pytest.raises(InputError, match=complaint) as caught:
        pretrained_weights(name, which, 10)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("collections")
def test_damaged_weights_are_refused_in_one_line():
    torch_file(URL).parent.mkdir(parents=True)
    torch_file(URL).write_bytes(b"not weights")
    with pytest.raises(InputError, match="holds more than weights, or is damaged"):
        pretrained_weights("torchvision:resnet18", True, 10)
    torch.save({"conv1.weight": torch.zeros(1)}, torch_file(URL))
    with pytest.raises(InputError, match=r"pretrained weights of resnet18 cannot be read .*damaged") as caught:
        pretrained_weights("torchvision:resnet18", True, 10)
    assert "\n" not in str(caught.value)


class Small(nn.Sequential):
    def __init__(self, num_classes):
        super().__init__(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(144, num_classes))


def stored(num_classes=7):
    with torch.random.fork_rng():
        torch.manual_seed(9)
        return Small(num_classes).state_dict()


def with_head(num_classes=7, pretrained=False):
    network = Small(num_classes)
    if pretrained:
        network.load_state_dict(stored())
    return network


def without_head(num_classes, weights=None):
    network = Small(num_classes)
    if weights is not None:
        network[0].load_state_dict({"weight": stored()["0.weight"], "bias": stored()["0.bias"]})
        network.pretrained_cfg = {"mean": (0.2,), "std": (0.3,)}
        assert weights in ("DEFAULT", "V2")
    return network


def test_a_users_function_gives_its_own_weights(own):
    found = pretrained_weights(own(with_head), True, 10)
    assert found.state["2.weight"].shape == (7, 144)
    assert (found.mean, found.random) == (None, frozenset())


def test_what_a_users_function_draws_anew_is_no_weight(own):
    found = pretrained_weights(own(without_head), True, 10)
    assert found.random == {"2.weight", "2.bias"}
    assert set(found.state) == {"0.weight", "0.bias"}
    assert (found.mean, found.std, found.configuration) == ((0.2,), (0.3,), "its pretrained_cfg")
    assert pretrained_weights(own(without_head), "V2", 10).sha256 == found.sha256


def no_keyword(num_classes):
    return Small(num_classes)


def never_loads(num_classes, pretrained):
    return Small(num_classes)


def downloads(pretrained=False):
    network = Small(7)
    network.load_state_dict(torch.hub.load_state_dict_from_url("https://x.org/small-1234.pth"))
    return network


def fails(pretrained=False):
    return {}["small"]


@pytest.mark.parametrize(
    ("found", "complaint"),
    [
        (no_keyword, "must be a function or class with an argument pretrained or weights.*found neither"),
        (Small(7), "must be a function or class with an argument pretrained or weights"),
        (never_loads, "must return the same weights each time with pretrained; found that all are drawn anew"),
        (downloads, r"looked for .*checkpoints/small-1234\.pth: download https://x\.org/small-1234\.pth to there"),
        (fails, r"building network 'my_pretrained:net' with pretrained=True fails at .*KeyError: 'small'"),
        (lambda pretrained: [pretrained], "must return a torch.nn.Module; found a list"),
    ],
)
def test_a_users_function_that_gives_no_weights_is_refused_in_one_line(own, found, complaint):
    with pytest.raises(InputError, match=complaint) as caught:
        pretrained_weights(own(found), True, 10)
    assert "\n" not in str(caught.value)


def test_the_hubs_folders_follow_its_variables(tmp_path, monkeypatch):
    assert hub_files("a/b@v2", "w.bin") == [tmp_path / "hf/hub/models--a--b/snapshots/v2/w.bin"]
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "other"))
    assert hub_files("a/b")[1] == tmp_path / "other/models--a--b/snapshots/main/pytorch_model.bin"
    monkeypatch.delenv("HF_HUB_CACHE")
    monkeypatch.delenv("HF_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert hub_files("a/b")[0].is_relative_to(tmp_path / "cache/huggingface/hub")


def test_downloads_are_possible_again_afterwards(monkeypatch):
    hub = types.ModuleType("huggingface_hub.constants")
    hub.HF_HUB_OFFLINE = False
    monkeypatch.setitem(sys.modules, "huggingface_hub.constants", hub)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    before = torch.hub.download_url_to_file
    with without_downloads("net"):
        assert torch.hub.download_url_to_file is not before
        assert (hub.HF_HUB_OFFLINE, os.environ["HF_HUB_OFFLINE"]) == (True, "1")
    assert torch.hub.download_url_to_file is before
    assert (hub.HF_HUB_OFFLINE, "HF_HUB_OFFLINE" in os.environ) == (False, False)
