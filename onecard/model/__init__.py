"""What is passed between rooms: frozen values and the words for them.

In: nothing but plain values and the catalogue's models. Out: the same, checked.
No SQL, no files, no network.
"""
