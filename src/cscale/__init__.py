"""cscale."""
