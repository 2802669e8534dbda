"""Reading a crossbar: row sums, sliding windows, converters, ageing."""
