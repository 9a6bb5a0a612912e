"""Linear transfer: the paper's tables and figures, and comparisons with other methods."""
