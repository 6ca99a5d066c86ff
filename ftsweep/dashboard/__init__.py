"""A live dashboard over the studies of a store: the extra `ftsweep[dashboard]`. Reads study folders, asks through requests."""
