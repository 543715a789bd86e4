"""The level `sum`: what leaves a merchant, and what comes out, where the noise is shared in a secure sum.

A whole sum is held in one process, by the merchant's own steps and messages; the others in it are made up and have no
data. What a coordinator that lies could find is not here but in the tests of the protocol (docs/audit.md).
"""
