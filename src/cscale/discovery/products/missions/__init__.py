"""How each mission names its products: one file a mission."""
