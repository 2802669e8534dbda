"""Images: shapes, brightness, and the check used by every method that takes images."""
