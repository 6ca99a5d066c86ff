"""What a study found, for people: rows (pure data), figures (pure functions of rows), one self-contained page."""
