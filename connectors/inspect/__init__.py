"""What a source offers and whether it answers, asked before the night.

In: a connection and the contract's options. Out: columns and shapes, never a value; yes or why not.
Reads no more rows than a sample needs.
"""
