"""From components to files: readable SystemVerilog, register documentation, cell counts."""
