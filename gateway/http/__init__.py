"""HTTP as every listener of the gateway speaks it: heads, bodies, answers."""
