"""ResNets and MobileNetV2 as published for ImageNet, and a MobileNetV2 for images of 32 x 32.

Modules are named as in torchvision, so that its published weights can be loaded as a checkpoint.
"""

from __future__ import annotations

from torch import Tensor, nn

# Stages of MobileNetV2 (Sandler et al. 2018, table 2): expansion, outputs, blocks, stride of the first block.
_MOBILE_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


class Block(nn.Module):
    """A residual block: two 3 x 3 convolutions, or a bottleneck of 1 x 1, 3 x 3 and 1 x 1 with four times the width.

    Parameters
    ----------
    inputs, width, stride : int
        Channels in, filters of the 3 x 3 convolutions, and stride of the first of these.
    bottleneck : bool
    """

    def __init__(self, inputs: int, width: int, stride: int, *, bottleneck: bool) -> None:
        super().__init__()
        outputs = 4 * width if bottleneck else width
        shapes = [(1, 1), (3, stride), (1, 1)] if bottleneck else [(3, stride), (3, 1)]
        widths = [inputs, width, width, outputs] if bottleneck else [inputs, width, outputs]
        for number, (kernel, step) in enumerate(shapes, start=1):
            self.add_module(f"conv{number}", _conv(widths[number - 1], widths[number], kernel, step))
            self.add_module(f"bn{number}", nn.BatchNorm2d(widths[number]))
        self.depth = len(shapes)
        self.relu = nn.ReLU()
        self.downsample: nn.Module | None = None
        if stride > 1 or inputs != outputs:
            self.downsample = nn.Sequential(_conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Feature maps, shape (batch, outputs, height, width)."""
        y = x
        for number in range(1, self.depth + 1):
            y = self.get_submodule(f"bn{number}")(self.get_submodule(f"conv{number}")(y))
            y = self.relu(y) if number < self.depth else y
        shortcut = x if self.downsample is None else self.downsample(x)
        result: Tensor = self.relu(y + shortcut)
        return result


class ResNet(nn.Module):
    """The residual network of He et al. (2016, table 1); bottlenecks have their stride in the 3 x 3 convolution.

    Parameters
    ----------
    blocks : tuple of int
        Residual blocks in each of the four stages.
    bottleneck : bool
        Bottleneck blocks (ResNet-50) or basic blocks (ResNet-18).
    num_classes, channels : int
        Outputs, and channels of the images.

    References
    ----------
    .. [1] He, Zhang, Ren and Sun (2016). Deep residual learning for image recognition. CVPR.
    """

    def __init__(
        self, blocks: tuple[int, ...], *, bottleneck: bool, num_classes: int = 1000, channels: int = 3
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        inputs = 64
        for stage, count in enumerate(blocks):
            width, layer = 64 * 2**stage, nn.Sequential()
            for block in range(count):
                stride = 2 if stage > 0 and block == 0 else 1
                layer.append(Block(inputs, width, stride, bottleneck=bottleneck))
                inputs = 4 * width if bottleneck else width
            self.add_module(f"layer{stage + 1}", layer)
        self.stages = len(blocks)
        self.fc = nn.Linear(inputs, num_classes)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, shape (batch, classes)."""
        y = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for stage in range(1, self.stages + 1):
            y = self.get_submodule(f"layer{stage}")(y)
        logits: Tensor = self.fc(y.mean((2, 3)))
        return logits


class InvertedResidual(nn.Module):
    """Inverted residual block: 1 x 1 expansion, depthwise 3 x 3 convolution, and linear 1 x 1 projection.

    Parameters
    ----------
    inputs, outputs, stride, expansion : int
    """

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        layers: list[nn.Module] = [] if expansion == 1 else [_conv_bn_relu(inputs, hidden, 1, 1)]
        layers += [
            _conv_bn_relu(hidden, hidden, 3, stride, groups=hidden),
            _conv(hidden, outputs, 1, 1),
            nn.BatchNorm2d(outputs),
        ]
        self.conv = nn.Sequential(*layers)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Feature maps, shape (batch, outputs, height, width)."""
        y: Tensor = self.conv(x)
        return x + y if self.residual else y


class MobileNetV2(nn.Module):
    """The network of inverted residuals of Sandler et al. (2018, table 2).

    Parameters
    ----------
    num_classes, channels : int
        Outputs, and channels of the images.
    early_strides : bool
        False for images of 32 x 32: the first convolution and the second stage have stride 1 instead of 2.

    References
    ----------
    .. [1] Sandler, Howard, Zhu, Zhmoginov and Chen (2018). MobileNetV2: inverted residuals and linear bottlenecks.
       CVPR.
    """

    def __init__(self, num_classes: int = 1000, channels: int = 3, *, early_strides: bool = True) -> None:
        super().__init__()
        features: list[nn.Module] = [_conv_bn_relu(channels, 32, 3, 2 if early_strides else 1)]
        inputs = 32
        for stage, (expansion, outputs, blocks, first_stride) in enumerate(_MOBILE_STAGES):
            for block in range(blocks):
                stride = first_stride if block == 0 and (early_strides or stage > 1) else 1
                features.append(InvertedResidual(inputs, outputs, stride, expansion))
                inputs = outputs
        features.append(_conv_bn_relu(inputs, 1280, 1, 1))
        self.features = nn.Sequential(*features)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, num_classes))
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, shape (batch, classes)."""
        logits: Tensor = self.classifier(self.features(x).mean((2, 3)))
        return logits


def initialise(network: nn.Module) -> None:
    """Initialise every convolution from the normal distribution of He et al. (2015) for its fan out, in place."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def _conv(inputs: int, outputs: int, kernel: int, stride: int, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)


def _conv_bn_relu(inputs: int, outputs: int, kernel: int, stride: int, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(_conv(inputs, outputs, kernel, stride, groups), nn.BatchNorm2d(outputs), nn.ReLU6())
