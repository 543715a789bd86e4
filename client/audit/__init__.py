"""The audit: a merchant looks for a broken promise on copies of its own raw data, and believes nobody.

subject.py        what is audited: raw rows, terms, and the very way from rows to a reply
neighbour.py      data sets that differ by one entity
replay.py         L0: replay neighbours without noise; sensitivity in exact integers
writing.py        the same rows written in other ways
canary.py         L1: the real noise step, many times, with and without a canary
independence.py   noise of merchants and rounds that have nothing to do with each other
accounting.py     what is charged, against the definition of differential privacy
level.py          the levels, one after another
report.py         what was found

An absent violation is no proof.
"""
