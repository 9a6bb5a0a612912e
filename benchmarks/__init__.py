"""Benchmarks: a module for each table or figure of the paper, and for each claim of the README."""
