"""The serial port: registers, image frames and result frames of the accelerator over two wires, in checked frames."""
