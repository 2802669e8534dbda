"""Co-simulation through the host's buses."""
