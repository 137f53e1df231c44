"""Image data sets, read from files and split into training, validation and test."""
