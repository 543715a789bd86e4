#!/usr/bin/env bash
# implicit 0.7.3: TFIDFRecommender has no weight for a basket of all products but one, and NaN for a product of such baskets alone.
#
# Most would guess that an inverse document frequency is smoothed, as in scikit-learn, so that what is common counts little and never
# nothing. Here the documents are the products and the words are the baskets, and a basket with n of N products weighs
# log(N) - log(1 + n): exactly 0 for n = N - 1. A product that stands in such baskets alone is a row of length 0, which is divided by
# its length: NaN in the similarities, with no error and at most a warning of numpy's. Baskets of one product in a shop of two are
# such a case, seen below. Cosine neighbours of the same rows are finite. Source: the package's own nearest_neighbours.py.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet implicit==0.7.3 numpy==2.2.6 scipy==1.15.3
OPENBLAS_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PY'
import implicit
import numpy as np
import scipy.sparse as sp
from implicit.nearest_neighbours import CosineRecommender, TFIDFRecommender

print("version:", implicit.__version__)
bought = sp.csr_matrix(np.array([[1.0, 0], [1, 0], [0, 1]]))
found = {}
for kind in (TFIDFRecommender, CosineRecommender):
    model = kind(K=5, num_threads=1)
    model.fit(bought, show_progress=False)
    found[kind.__name__] = model.similarity.toarray()
    print(kind.__name__, found[kind.__name__].tolist())
assert np.isnan(found["TFIDFRecommender"]).any()
assert np.isfinite(found["CosineRecommender"]).all()
PY
