"""Keys, algorithm suites, signatures, the Merkle tree and the format of the audit log.

In: the key document and bytes to sign or hash. Out: tokens, signatures, proofs.
Touches no database. Never a key in a message.
"""
