"""Keeping: what a store is put into so that it outlives its machine, or may leave it."""
