"""What an answer shows: the members picked of an item, the collections found. Pure, without the web."""
