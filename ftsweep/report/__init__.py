"""What a study found, for people: an overview as pure data, figures and tables made of it, one self-contained page."""
