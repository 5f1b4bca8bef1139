"""How a catalogue in PostgreSQL is searched."""
