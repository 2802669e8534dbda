"""Data sets and images that users give."""
