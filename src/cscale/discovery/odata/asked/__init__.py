"""What an archive is asked: a search as conditions in its own language, and what is left to the hub."""
