"""Original networks by name: built in, from torchvision or timm where installed, or the user's own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from prunestats.errors import InputError
from prunestats.runners.networks.imagenet import MobileNetV2, ResNet, initialise
from prunestats.runners.networks.user_networks import user_network


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions with a shortcut, which is a 1 x 1 convolution where the shape changes.

    Parameters
    ----------
    inputs, outputs : int
        Channels in and out.
    stride : int
        Stride of the first convolution and of the shortcut.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        same = inputs == outputs and stride == 1
        self.shortcut: nn.Module = nn.Identity() if same else _projection(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Feature maps, shape (batch, outputs, height, width)."""
        y = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class CifarResNet(nn.Module):
    """The residual network of He et al. (2016, section 4.2), with projection shortcuts (option B).

    Parameters
    ----------
    blocks : int
        Residual blocks in each of the three stages; depth is 6 * blocks + 2.
    num_classes : int
        Outputs.
    channels : int
        Channels of the images.
    widths : tuple of int
        Filters in each stage.
    stem_stride : int
        Stride of the first convolution; 2 divides the area of all feature maps by four.

    References
    ----------
    .. [1] He, Zhang, Ren and Sun (2016). Deep residual learning for image recognition. CVPR.
    """

    def __init__(
        self,
        blocks: int,
        num_classes: int = 10,
        channels: int = 3,
        widths: tuple[int, ...] = (16, 32, 64),
        stem_stride: int = 1,
    ) -> None:
        super().__init__()
        self.stem = nn.Conv2d(channels, widths[0], 3, stem_stride, 1, bias=False)
        self.bn = nn.BatchNorm2d(widths[0])
        self.stages = nn.Sequential()
        inputs = widths[0]
        for stage, outputs in enumerate(widths):
            for block in range(blocks):
                stride = 2 if stage > 0 and block == 0 else 1
                self.stages.append(ResidualBlock(inputs, outputs, stride))
                inputs = outputs
        self.fc = nn.Linear(inputs, num_classes)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, shape (batch, classes)."""
        y = self.stages(functional.relu(self.bn(self.stem(x))))
        logits: Tensor = self.fc(y.mean((2, 3)))
        return logits


class Vgg(nn.Module):
    """VGG with batch norm and a single linear layer, as used for CIFAR in the pruning literature.

    Parameters
    ----------
    widths : tuple of int
        Filters of each convolution; 0 stands for a 2 x 2 max-pool.
    num_classes, channels : int
        Outputs, and channels of the images.
    """

    def __init__(self, widths: tuple[int, ...], num_classes: int = 10, channels: int = 3) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for width in widths:
            if width == 0:
                layers.append(nn.MaxPool2d(2))
                continue
            layers += [nn.Conv2d(channels, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            channels = width
        self.features = nn.Sequential(*layers)
        self.fc = nn.Linear(channels, num_classes)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, shape (batch, classes)."""
        logits: Tensor = self.fc(self.features(x).mean((2, 3)))
        return logits


# Configuration D of Simonyan and Zisserman (2015, table 1).
_VGG16 = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512)

NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "resnet_digits": partial(CifarResNet, 1, channels=1),
    "resnet_digits_deep": partial(CifarResNet, 3, channels=1, widths=(16, 16, 16)),
    "resnet_digits_strided": partial(CifarResNet, 1, channels=1, widths=(24, 48, 96), stem_stride=2),
    "resnet20": partial(CifarResNet, 3),
    "resnet56": partial(CifarResNet, 9),
    "resnet110": partial(CifarResNet, 18),
    "vgg16_bn": partial(Vgg, _VGG16),
    "mobilenet_v2": MobileNetV2,
    "mobilenet_v2_cifar": partial(MobileNetV2, early_strides=False),
    "resnet18": partial(ResNet, (2, 2, 2, 2), bottleneck=False),
    "resnet50": partial(ResNet, (3, 4, 6, 3), bottleneck=True),
}


def build_network(name: str, *, num_classes: int = 10, seed: int | None = None) -> nn.Module:
    """Build an original network with randomly initialised weights.

    Parameters
    ----------
    name : str
        A name in `NETWORKS`; ``"torchvision:NAME"`` or ``"timm:NAME"`` where that package is installed; or
        ``"module:name"`` of your own function, ``nn.Module`` subclass or ``nn.Module`` instance.
    num_classes : int
        Outputs. Your own function or class receives it where its signature has it. 0 stands for the network's own
        default, where the data have no classes.
    seed : int, optional
        Seed of the weights; torch's global generator is not changed. Without it, the weights come from that generator.
        An instance is copied with the weights that it has, whatever the seed.

    Returns
    -------
    torch.nn.Module

    Raises
    ------
    InputError
        If the name is unknown or cannot be imported, or your own builder requires other arguments.

    Examples
    --------
    >>> sum(p.numel() for p in build_network("resnet_digits").parameters())
    77754
    """
    build = _find(name)
    classes = {"num_classes": num_classes} if num_classes else {}
    if seed is None:
        return build(**classes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build(**classes)


def is_own(name: str) -> bool:
    """Whether a name is that of the user's own network, as ``"module:name"``, not of a built-in or a collection's."""
    module, colon, _ = name.partition(":")
    return bool(colon) and module not in _COLLECTIONS


def _find(name: str) -> Callable[..., nn.Module]:
    if name in NETWORKS:
        return NETWORKS[name]
    module, colon, function = name.partition(":")
    if not colon:
        raise InputError(f"network must be one of {', '.join(NETWORKS)} or module:function; found {name!r}")
    if module in _COLLECTIONS:
        return partial(_from_collection, module, function)
    return user_network(name)


# Module and function by which each collection builds a network by name, and the argument for random weights.
_COLLECTIONS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "torchvision": ("torchvision.models", "get_model", {"weights": None}),
    "timm": ("timm", "create_model", {"pretrained": False}),
}

# Auxiliary classifiers act in training only, and published results are evaluated without them.
_NO_AUX = {"aux_logits": False, "init_weights": True}
_ARGUMENTS = {
    ("torchvision", "googlenet"): _NO_AUX,
    ("torchvision", "inception_v3"): _NO_AUX,
}


def collection_module(collection: str, name: str) -> Any:
    """The module of timm or torchvision that builds networks by name; `name` is the network's, for the message."""
    try:
        return import_module(_COLLECTIONS[collection][0])
    except ModuleNotFoundError as error:
        raise InputError(
            f"network '{collection}:{name}' needs {collection}, which is not installed ({error}): "
            f"pip install {collection}"
        ) from error
    except (ImportError, OSError, RuntimeError) as error:
        raise InputError(
            f"network '{collection}:{name}' needs {collection}, which cannot be imported ({_line(error)}): is it a "
            f"version that fits torch {torch.__version__}?"
        ) from error


def _from_collection(collection: str, name: str, **classes: int) -> nn.Module:
    _, function, fresh = _COLLECTIONS[collection]
    create = getattr(collection_module(collection, name), function)
    try:
        network: nn.Module = create(name, **classes, **fresh, **_ARGUMENTS.get((collection, name), {}))
    except (KeyError, RuntimeError, ValueError) as error:
        raise InputError(f"network '{collection}:{name}': {collection} has no such network ({_line(error)})") from error
    except (AttributeError, OSError, TypeError) as error:
        raise InputError(
            f"network '{collection}:{name}' cannot be built with {classes.get('num_classes', 'its own')} classes and "
            f"random weights: does it classify images? ({_line(error)})"
        ) from error
    return network


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())


def _projection(inputs: int, outputs: int, stride: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
