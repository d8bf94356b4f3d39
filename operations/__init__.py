"""Running Weir: supervisor, demo, doctor."""
