"""Shared by all parts of the software: errors, files, findings, labels."""
