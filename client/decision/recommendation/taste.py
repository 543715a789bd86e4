"""Collaborative filtering: what customers with a like taste bought, and what is bought together.

`implicit` does it (MIT, wheels for every Python that we name, a release in 2026): alternating least squares for the
taste of a customer, neighbours for products. It runs in one thread, for a sum over threads depends on who is first and
the same shop would be offered other things on another day.

References
----------
Y. Hu, Y. Koren, C. Volinsky, "Collaborative Filtering for Implicit Feedback Datasets" (ICDM 2008), equation 4.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import sparse

from client.decision.recommendation.past import Past

FACTORS, CONFIDENCE, REGULARISATION, ITERATIONS, SEED = 64, 3.0, 1.0, 15, 0
NEIGHBOURS = 200  # of each product
THREADS = 1


@dataclass(frozen=True)
class Taste:
    """What was learned from who bought what.

    Attributes
    ----------
    customers, products
        Factors; their product is how near a product is to a customer's taste.
    alike
        Product × product: cosine of who bought them, for the nearest of each.
    """

    customers: Float[np.ndarray, "customer factor"]
    products: Float[np.ndarray, "product factor"]
    alike: sparse.csr_matrix


def learn_taste(past: Past) -> Taste:
    """Learn from every customer's past, the newer purchases counting more."""
    from implicit.als import AlternatingLeastSquares
    from implicit.nearest_neighbours import CosineRecommender

    num_customers, num_products = past.long.shape
    if past.long.nnz == 0:
        none = sparse.csr_matrix((num_products, num_products), dtype=np.float32)
        return Taste(np.zeros((num_customers, 1), np.float32), np.zeros((num_products, 1), np.float32), none)
    with _in_one_thread():
        model = AlternatingLeastSquares(
            factors=FACTORS,
            regularization=REGULARISATION,
            alpha=CONFIDENCE,
            iterations=ITERATIONS,
            random_state=SEED,
            num_threads=THREADS,
            use_gpu=False,
        )
        model.fit(past.long.astype(np.float32), show_progress=False)
        near = CosineRecommender(K=NEIGHBOURS, num_threads=THREADS)
        near.fit(past.bought.astype(np.float64), show_progress=False)
    return Taste(np.array(model.user_factors), np.array(model.item_factors), without_self(near.similarity))


def learn_together(baskets: sparse.csr_matrix) -> sparse.csr_matrix:
    """Give product × product: cosine of the baskets that hold them, a basket of many products counting less.

    Notes
    -----
    Cosine of baskets that weigh log((products + 2) / (own products + 1)). That is `implicit`'s TF-IDF, but for the 2:
    without it a basket of all products but one weighs nothing, and a product of such baskets alone is not a number. It
    was the best of popularity, cosine, BM25 and factors on baskets half of which was hidden (`hansa-sim recommend`).
    """
    from implicit.nearest_neighbours import CosineRecommender

    if baskets.nnz == 0:
        return sparse.csr_matrix((baskets.shape[1], baskets.shape[1]), dtype=np.float32)
    weight = np.log((baskets.shape[1] + 2) / (np.diff(baskets.indptr) + 1))
    with _in_one_thread():
        near = CosineRecommender(K=NEIGHBOURS, num_threads=THREADS)
        near.fit((sparse.diags(weight) @ baskets).tocsr().astype(np.float64), show_progress=False)
    return without_self(near.similarity)


@contextmanager
def _in_one_thread() -> Iterator[None]:
    """Keep the library to one thread, and silent of a conversion that it does inside for itself."""
    from implicit.utils import ParameterWarning
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, "blas"), warnings.catch_warnings():
        warnings.simplefilter("ignore", ParameterWarning)
        yield


def without_self(similarity: sparse.csr_matrix) -> sparse.csr_matrix:
    """No product is its own neighbour; a library's rounding below zero is none either."""
    found = similarity.tocsr().astype(np.float32)
    found.setdiag(0)
    found.data[~(found.data > 0)] = 0
    found.eliminate_zeros()
    return found
