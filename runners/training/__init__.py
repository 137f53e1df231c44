"""One training under a protocol, on one device: loop, losses, batch norm, latency."""
