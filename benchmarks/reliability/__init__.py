"""What happens to unusual rows, interrupted work and damaged files."""
