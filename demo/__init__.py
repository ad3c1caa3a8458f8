"""The agencies' systems, simulated for real: used by `onecard demo`, the tests and the bench."""
