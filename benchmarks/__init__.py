"""Benchmarks: one module per table or figure of the paper and per claim of the README."""
