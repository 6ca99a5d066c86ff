"""A live dashboard over the studies of a store: the extra `ftsweep[dashboard]`.

It reads study folders and nothing else, and acts through `store.requests`.
"""
