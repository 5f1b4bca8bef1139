"""Figures that can be repeated: `make bench`, or `python -m benchmarks NAME --help`."""
