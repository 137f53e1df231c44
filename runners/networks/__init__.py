"""Original networks by name (built in, from torchvision or timm, or the user's own), and their weights."""
