"""Networks of spiking neurons in NIR files, read and written."""
