"""The weight image, a .loom file."""
