"""What does not fit into memory: images that pass by in windows, with the answers of those that fit."""
