"""Rules and the other controls, published and looked at by people."""
