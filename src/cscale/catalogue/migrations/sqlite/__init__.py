"""The formats of a catalogue in SQLite."""
