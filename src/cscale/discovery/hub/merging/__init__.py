"""From the sites' runs to one page: the merge and its cursor, pure, and what copies look like as one."""
