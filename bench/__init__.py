"""Figures, measured and recorded: `make bench`, or `make bench BENCH=flow` for one."""
