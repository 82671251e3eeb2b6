"""Helpers of the end-to-end tests: one concept a module, standard library only."""
