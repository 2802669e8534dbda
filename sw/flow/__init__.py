"""The steps of a run, their fingerprints and files."""
