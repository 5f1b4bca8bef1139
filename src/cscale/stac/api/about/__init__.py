"""What the API says of itself: its landing page, what it conforms to, its description."""
