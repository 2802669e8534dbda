"""Is the chip alive, and does it do what the network does? Findings with cause, size and remedy.

`measure` runs the integer reference over some images and counts; the kinds of findings, each a function registered with
`sw.diagnostics.registry.kind`, look at what was counted. docs/diagnostics.md has them in a table.
"""

from sw.diagnostics.examine import MOST_COMPILED, MOST_IMAGES, diagnose, diagnose_compiled
from sw.diagnostics.finding import Diagnosis, Finding
from sw.diagnostics.registry import KINDS

__all__ = ["KINDS", "MOST_COMPILED", "MOST_IMAGES", "Diagnosis", "Finding", "diagnose", "diagnose_compiled"]
