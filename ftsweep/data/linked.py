"""Items that hang together through pairs, directly or through others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def components(num_items: int, left: Sequence[int] | np.ndarray, right: Sequence[int] | np.ndarray) -> np.ndarray:
    """The number of each item's connected component, [num_items]; `left` and `right` are the pairs' items."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    # int32: given int64, scipy before 1.11.3 puts all items into one component and raises nothing
    ends = (np.asarray(left, dtype=np.int32), np.asarray(right, dtype=np.int32))
    edges = coo_array((np.ones(len(ends[0]), dtype=np.int8), ends), shape=(num_items, num_items))
    found: np.ndarray = connected_components(edges.tocsr(), directed=False)[1]
    return found
