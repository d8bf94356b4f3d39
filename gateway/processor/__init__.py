"""The processor: a process of its own that alone sees and keeps card data and alone speaks to acquirers."""
