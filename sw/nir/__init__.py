"""Import and export of spiking networks in NIR files."""
