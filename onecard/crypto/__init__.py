"""Keys, algorithm suites, signatures, the Merkle tree and the format of the audit log.

In: the key document and bytes to sign or hash. Out: tokens, signatures, proofs.
Never a key in a message.
Touches no database.
"""
