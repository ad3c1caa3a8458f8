"""Samples: what sampled values look like, for drafts of contracts: types, meanings, codes, keys.

In: a sample of a source as texts, and the words that other contracts have. Out: guesses: names and
numbers, and signs of a draft code list; no other value. The gate's own kernels and checks judge.
"""
