"""Co-simulation of a whole board, from its serial pins on, behind a pseudo terminal."""
