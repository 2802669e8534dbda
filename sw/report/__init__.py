"""The report: page, texts, pictures."""
