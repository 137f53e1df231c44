"""One training under a protocol, on one device: loop, losses, augmentation, batch norm and latency."""
