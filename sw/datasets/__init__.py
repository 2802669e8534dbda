"""Data sets and user images."""
