"""Residual networks for digits that differ in widths, depth and stride: with them `eight_originals.toml` is run."""

from functools import partial

from prunestats.runners.networks.builtin import CifarResNet

strided_16_32_128 = partial(CifarResNet, 1, channels=1, widths=(16, 32, 128), stem_stride=2)
strided_32_48_64 = partial(CifarResNet, 1, channels=1, widths=(32, 48, 64), stem_stride=2)
plain_16_32_128 = partial(CifarResNet, 1, channels=1, widths=(16, 32, 128))
double_16_32_64 = partial(CifarResNet, 2, channels=1, widths=(16, 32, 64))
plain_24_32_64 = partial(CifarResNet, 1, channels=1, widths=(24, 32, 64))
plain_32_48_48 = partial(CifarResNet, 1, channels=1, widths=(32, 48, 48))
