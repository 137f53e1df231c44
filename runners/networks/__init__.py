"""Original networks by name: ours, those of torchvision and timm, the user's own; their weights."""
