"""What connectors share: gathering of batches, JSON records, text on the wire, circuit breaker.

In: bytes and records of any system. Out: Arrow batches.
Knows no kind of system.
"""
