"""`python -m spikeloom` is the command `spikeloom`."""

from spikeloom.sw.cli.main import main

if __name__ == "__main__":
    main()
