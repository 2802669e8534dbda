"""One layer: row drivers, column readout, neurons, programmer."""
