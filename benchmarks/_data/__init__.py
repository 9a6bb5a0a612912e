"""Data of the benchmarks: transfers, and where to read what they are made of."""


class MissingData(Exception):
    """Data or a package that a benchmark needs is missing; the message says what to do."""
