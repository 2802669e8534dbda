"""Images: their shapes, their brightness, and the check behind every method that takes them."""
