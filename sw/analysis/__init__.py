"""Numbers of a report: accuracy, mapping, programming, drift, lifetime, decision."""
