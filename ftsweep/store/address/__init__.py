"""A store at an address: what lies there, how it comes to a folder of this machine and back, and who owns it."""
