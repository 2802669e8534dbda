"""How long a chip works: search for its end of life, refresh."""
