"""Interfaces between blocks: layouts of streams, ports of crossbars and programming, registers."""
