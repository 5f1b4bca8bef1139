"""How a catalogue in PostgreSQL is changed."""
