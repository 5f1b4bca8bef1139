"""The STAC API's answers as pages for people: pure functions from the JSON of an answer to HTML.

A page needs no script and nothing from elsewhere but the pictures that items link to. Whatever an item
says is shown as text; only http and https addresses become links.
"""

from cscale.stac.html.frame import Here, content_security

__all__ = ["Here", "content_security"]
