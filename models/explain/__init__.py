"""A decision explained: made again from what was stored, weighed, turned, and put in words."""
