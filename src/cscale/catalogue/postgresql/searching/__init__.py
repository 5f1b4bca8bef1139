"""How a catalogue in PostgreSQL is searched, and how its items are counted."""
