"""Energy and clock cycles, from structure and activity."""
