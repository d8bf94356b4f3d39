"""The risk engine and its models: pure, no clock, no I/O, no events."""
