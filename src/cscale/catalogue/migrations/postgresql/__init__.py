"""The formats of a catalogue in PostgreSQL."""
