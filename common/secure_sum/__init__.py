"""A sum over merchants that nobody can take apart: masks, shares, agreement, and how the sum comes out.

Pure functions over bytes and numpy vectors, without a network and without randomness: who calls them hands in every
secret. See docs/protocol.md §10 for every byte, and docs/privacy.md for what each party learns.
"""
