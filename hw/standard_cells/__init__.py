"""The unit in a library of standard cells: mapping, area by component, timing and power."""
