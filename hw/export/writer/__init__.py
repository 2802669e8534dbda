"""Writer of the exported SystemVerilog: from elaborated statements and values to the text of modules."""
