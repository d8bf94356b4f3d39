"""Rules: SQL predicates, checked against the catalogue, compiled to Python and to DuckDB SQL."""
