"""The Verilog in a simulator, with the device model behind its crossbars."""
