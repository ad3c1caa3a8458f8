"""What every room stands on: settings, time, files, waiting, logs and what is taken out of them.

In: the environment, the clock, the file system. Out: plain values and bounded, redacted output.
Imports `onecard.errors` only.
"""
