"""Small components that several blocks use."""
