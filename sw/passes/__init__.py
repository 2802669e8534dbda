"""Conversion passes, one per file, in the order `sw.compiler.pipeline` runs them: fold, normalise, quantise, calibrate,
map."""
