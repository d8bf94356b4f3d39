"""Merchants and their people: who may take payments, within which limits, and who signs in."""
