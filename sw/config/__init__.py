"""The configuration: its tables, rules between them, presets, manual page."""
