"""What blocks agree on: layouts of streams, ports of crossbars and programming, registers."""
