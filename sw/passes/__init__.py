"""Conversion passes, one a file, in the order `sw.compiler` runs them: fold, normalise, quantise, calibrate, map."""
