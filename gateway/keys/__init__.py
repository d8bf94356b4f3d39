"""Keys and certificates under `--keys DIR`, and who may speak to whom by them."""
