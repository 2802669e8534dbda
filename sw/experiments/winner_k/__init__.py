"""Papers worked again: their experiments on our chip, their numbers beside ours. `spikeloom paper NAME`."""
