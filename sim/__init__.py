"""The simulation: device physics, the integer reference, and the Verilog in a simulator.

The kinds of cells that are built in are named here: `sim.chip`, which says what a device is, knows nothing of the
physics in `sim.devices`, and finds each when it is first asked for.
"""

CELL_KINDS = {
    "linear": ("spikeloom.sim.devices.linear", "Linear"),
    "emulated": ("spikeloom.sim.devices.emulated", "Emulated"),
    "tantalum": ("spikeloom.sim.devices.tantalum.kind", "Tantalum"),
}
"""Module and class of each, by its name in [device] cell."""
