"""Early termination: the spike counters and the decision rule."""
