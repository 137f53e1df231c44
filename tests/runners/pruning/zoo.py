"""Small networks with one feature each, which tracing must support or refuse."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional


class Net(nn.Module):
    """A network whose forward pass is a function of itself and the images."""

    def __init__(self, forward, **layers):
        super().__init__()
        self.pass_ = forward
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x):
        return self.pass_(self, x)


def conv(inputs, outputs, kernel=3, groups=1):
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, groups=groups)


def pooled(x):
    return x.mean((2, 3))


def _resnext(net, x):
    y = functional.relu(net.stem(x))
    return net.fc(pooled(functional.relu(y + net.c(functional.relu(net.bn(net.b(net.a(y))))))))


def _squeeze_excitation(net, x):
    y = net.a(x)
    gate = torch.sigmoid(net.e(functional.relu(net.r(y.mean((2, 3), keepdim=True)))))
    return net.fc(pooled(net.c(y * gate)))


def _squeeze_excitation_linear(net, x):
    y = net.a(x)
    gate = torch.sigmoid(net.e(functional.relu(net.r(pooled(y)))))
    return net.fc(pooled(net.c(y * gate[:, :, None, None])))


def _dense(net, x):
    y = net.a(x)
    y = torch.cat([y, net.b(functional.relu(y))], 1)
    y = torch.cat([y, net.c(functional.relu(net.n(y)))], 1)
    return net.fc(pooled(net.bn(y)))


def _concatenation_joins_a_stream(net, x):
    return net.fc(pooled(net.c(x) + torch.cat([net.a(x), net.b(x)], 1)))


def _tokens(net, x):
    tokens = net.a(x).flatten(2).transpose(1, 2)
    return net.fc(net.l2(functional.gelu(net.l1(tokens))).mean(1))


def _residual_output(net, x):
    y = net.fc(pooled(net.a(x)))
    return y + net.b(functional.relu(y))


@dataclass
class Found:
    """An output of three fields, one of which is no tensor."""

    logits: torch.Tensor
    map: torch.Tensor
    kind: str = "found"


def _two_maps(net, x):
    y = functional.relu(net.a(x))
    return {"masks": net.b(y), "coarse": net.d(functional.relu(net.c(y)))}


def _levels(net, x):
    fine = functional.relu(net.a(x))
    coarse = functional.relu(net.b(functional.avg_pool2d(fine, 2)))
    # the number of each image's best class does not depend on the input differentiably
    logits = net.fc(pooled(coarse))
    return logits, [net.c(fine), net.d(coarse)], logits.argmax(1)


def _found(net, x):
    y = functional.relu(net.a(x))
    return Found(net.fc(pooled(net.b(y))), net.c(y).sigmoid())


def nested():
    """Networks that return a nest of tensors, with the sizes of their groups."""
    return {
        "a dictionary of two maps": (
            Net(_two_maps, a=conv(3, 8), b=conv(8, 3), c=conv(8, 6), d=conv(6, 2)), [8, 6],
        ),
        "a tuple with a list": (
            Net(_levels, a=conv(3, 8), b=conv(8, 6), c=conv(8, 4), d=conv(6, 4), fc=nn.Linear(6, 2)), [8, 6],
        ),
        "a dataclass": (
            Net(_found, a=conv(3, 8), b=conv(8, 6), c=conv(8, 2), fc=nn.Linear(6, 2)), [8, 6],
        ),
        "one number for each image": (
            Net(lambda n, x: n.fc(pooled(functional.relu(n.a(x))))[:, 0], a=conv(3, 8), fc=nn.Linear(8, 1)), [8],
        ),
    }  # fmt: skip


def traced():
    """Networks that can be traced, with the sizes of their groups."""
    linear = nn.Linear
    return {
        "flattened": (
            Net(
                lambda n, x: n.fc(n.c(n.bn(torch.cat([n.d(n.a(x)), n.b(n.a2(x))], 1))).flatten(1)),
                a=conv(3, 8), d=conv(8, 8, groups=8), a2=conv(3, 8), b=conv(8, 6), bn=nn.BatchNorm2d(14), c=conv(14, 5),
                fc=linear(5 * 64, 10),
            ),
            [8, 8, 6, 5],
        ),
        "grouped": (
            Net(lambda n, x: n.fc(pooled(n.c(n.b(n.a(x))))), a=conv(3, 8), b=conv(8, 12, groups=4), c=conv(12, 6),
                fc=linear(6, 2)),
            [4, 6],
        ),
        "resnext": (
            Net(_resnext, stem=conv(3, 16), a=conv(16, 8, 1), b=conv(8, 8, groups=4), bn=nn.BatchNorm2d(8),
                c=conv(8, 16, 1), fc=linear(16, 5)),
            [16, 4],
        ),
        "grouped stream": (
            Net(lambda n, x: n.fc(pooled(n.a(x) + n.b(n.a2(x)))), a=conv(3, 8), a2=conv(3, 8), b=conv(8, 8, groups=2),
                fc=linear(8, 2)),
            [2],
        ),
        "depth multiplier": (
            Net(lambda n, x: n.fc(pooled(n.c(n.b(n.a(x))))), a=conv(3, 8), b=conv(8, 16, groups=8), c=conv(16, 6),
                fc=linear(6, 2)),
            [8, 6],
        ),
        "squeeze and excitation": (
            Net(_squeeze_excitation, a=conv(3, 8), r=conv(8, 2, 1), e=conv(2, 8, 1), c=conv(8, 6), fc=linear(6, 2)),
            [8, 2, 6],
        ),
        "squeeze and excitation, linear": (
            Net(_squeeze_excitation_linear, a=conv(3, 8), r=linear(8, 2), e=linear(2, 8), c=conv(8, 6),
                fc=linear(6, 2)),
            [8, 2, 6],
        ),
        "dense": (
            Net(_dense, a=conv(3, 8), b=conv(8, 4), n=nn.BatchNorm2d(12), c=conv(12, 4), bn=nn.BatchNorm2d(16),
                fc=linear(16, 2)),
            [8, 4, 4],
        ),
        "a concatenation joins a stream": (
            Net(_concatenation_joins_a_stream, c=conv(3, 14), a=conv(3, 8), b=conv(3, 6), fc=linear(14, 2)),
            [8, 6],
        ),
        "the same, written the other way round": (
            Net(_concatenation_joins_a_stream, a=conv(3, 8), b=conv(3, 6), c=conv(3, 14), fc=linear(14, 2)),
            [8, 6],
        ),
        "concatenated twice": (
            Net(lambda n, x: n.fc(pooled(n.b(torch.cat([n.bn(n.a(x))] * 2, 1)))), a=conv(3, 8), bn=nn.BatchNorm2d(8),
                b=conv(16, 6), fc=linear(6, 2)),
            [8, 6],
        ),
        "tokens": (Net(_tokens, a=conv(3, 8), l1=linear(8, 12), l2=linear(12, 8), fc=linear(8, 2)), [8, 12, 8]),
        "linear layers": (
            Net(lambda n, x: n.c(functional.relu(n.bn(n.b(functional.relu(n.a(x.flatten(1))))))), a=linear(192, 16),
                b=linear(16, 12), bn=nn.BatchNorm1d(12, affine=False), c=linear(12, 2)),
            [16, 12],
        ),
        "classes are no filters": (Net(_residual_output, a=conv(3, 8), fc=linear(8, 4), b=linear(4, 4)), [8]),
        "the image itself concatenated": (
            Net(lambda n, x: n.fc(torch.cat([n.b(torch.cat([x, n.a(x)], 1)), x], 1).flatten(1)), a=conv(3, 8),
                b=conv(11, 6), fc=linear(9 * 64, 2)),
            [8, 6],
        ),
        "a stream that the image is in": (
            Net(lambda n, x: n.fc(pooled(n.b(x + n.a(x)))), a=conv(3, 3), b=conv(3, 6), fc=linear(6, 2)), [6],
        ),
        "not zero at zero": (
            Net(lambda n, x: n.fc(pooled(n.b(torch.sigmoid(n.a(x))))), a=conv(3, 8), b=conv(8, 6), fc=linear(6, 2)),
            [8, 6],
        ),
        **nested(),
    }  # fmt: skip


def _head(middle, inputs=8, **layers):
    """A network that transforms the 8 channels of its first layer before the second reads them."""
    return Net(
        lambda n, x: n.fc(pooled(n.b(middle(n, n.a(x), x)))),
        a=conv(3, 8), **layers, b=conv(inputs, 6), fc=nn.Linear(6, 2),
    )  # fmt: skip


def _shuffled(x):
    n, channels, height, width = x.shape
    return x.view(n, 2, channels // 2, height, width).transpose(1, 2).reshape(n, channels, height, width)


class Reused(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = conv(3, 3)
        self.fc = nn.Linear(3, 2)

    def forward(self, x):
        return self.fc(pooled(self.a(functional.relu(self.a(x)))))


class Gained(nn.Conv2d):
    """A convolution with an additional parameter."""

    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.gain = nn.Parameter(torch.ones(8, 1, 1))

    def forward(self, x):
        return super().forward(x) * self.gain


class Scaled(nn.Module):
    """A network with a parameter that belongs to no layer."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.a, self.fc = conv(3, 8), nn.Linear(8, 2)

    def forward(self, x):
        return self.fc(pooled(self.a(x))) * self.scale


def refused():
    """Networks that are refused, with the expected message."""
    return {
        "used twice": (Reused(), "'a' is used more than once"),
        "idle": (_head(lambda n, y, x: y, idle=conv(3, 3)), "'idle' takes no part"),
        "group norm": (_head(lambda n, y, x: n.norm(y), norm=nn.GroupNorm(2, 8)), "'norm' of kind GroupNorm"),
        "transposed": (
            _head(lambda n, y, x: n.t(y), t=nn.ConvTranspose2d(8, 8, 2)),
            "'t' of kind ConvTranspose2d owns parameters",
        ),
        "norm without parameters": (
            _head(lambda n, y, x: n.norm(y), norm=nn.GroupNorm(2, 8, affine=False)), "layer 'b' cannot be traced",
        ),
        "shuffled": (_head(lambda n, y, x: _shuffled(y)), "the network itself takes the 8 channels"),
        "a gain": (
            Net(lambda n, x: n.fc(pooled(n.a(x))), a=Gained(3, 8, 3), fc=nn.Linear(8, 2)),
            r"'a' of kind Gained owns parameters \(bias, gain, weight\)",
        ),
        "a parameter of its own": (Scaled(), r"the network itself, a Scaled owns parameters \(scale\)"),
        "attention": (
            _head(lambda n, y, x: y * torch.sigmoid(y.mean(1, keepdim=True))), "layer 'b' cannot be traced"
        ),
        "softmax": (_head(lambda n, y, x: y.softmax(1)), "layer 'b' cannot be traced"),
        "chunked": (
            _head(lambda n, y, x: y.chunk(2, 1)[0] * y.chunk(2, 1)[1].sigmoid(), inputs=4),
            "layer 'b' cannot be traced|fails after layer 'a'",
        ),
        "sliced": (_head(lambda n, y, x: y[:, :4], inputs=4), "fails after layer 'a'"),
        "the number of channels in forward": (
            _head(lambda n, y, x: y.view(-1, 8, 64).view(-1, 8, 8, 8)), "fails after layer 'a'"
        ),
        "padded channels": (
            _head(lambda n, y, x: functional.pad(y, (0, 0, 0, 0, 4, 4)), inputs=16), "cannot be traced"
        ),
        "one channel times many": (
            _head(lambda n, y, x: y * n.gate(x), gate=conv(3, 1)), "'gate' cannot be traced: its 1 channels"
        ),
        "nothing to prune": (
            Net(lambda n, x: n.fc(x.flatten(1)), fc=nn.Linear(192, 2)), "no filters to prune"
        ),
        "no numbers": (
            Net(lambda n, x: {"best": n.fc(pooled(n.a(x))).argmax(1)}, a=conv(3, 8), fc=nn.Linear(8, 2)),
            "found a dict without any",
        ),
        "another image": (
            Net(lambda n, x: n.fc(pooled(n.a(x))), a=conv(1, 8), fc=nn.Linear(8, 2)), r"of shape \(3, 8, 8\)"
        ),
    }  # fmt: skip
