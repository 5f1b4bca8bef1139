"""Counting over many sites: what each counts is added up, and what one does not count is counted for it.

Copies are counted where they lie: a product that two sites hold counts twice, and the answer says so.
"""

from cscale.discovery.counting.asking import Aggregating, Counting, Told
from cscale.discovery.counting.reading import body_of, read_answer
from cscale.discovery.counting.tally import SITES, SitesFrequency, Tally, Unfit

__all__ = [
    "SITES",
    "Aggregating",
    "Counting",
    "SitesFrequency",
    "Tally",
    "Told",
    "Unfit",
    "body_of",
    "read_answer",
]
