"""The numbers that what is promised is proven for; each proof stands beside what it is about."""

LARGEST_NOISE_MULTIPLIER = 1e4  # of a mechanism
LARGEST_MODEL = 2**22 - 8  # parameters up to which the bound of `common.privacy.clipping.clip` is proven
LATTICE_BITS = 24  # of the clipping norm; see `common.privacy.lattice`
