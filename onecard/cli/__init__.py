"""The command line: `onecard`."""
