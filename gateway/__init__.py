"""The payment gateway: API process, and the processor that alone sees card data."""
