"""The shipped sweeps; packaged as `ftsweep.sweeps`."""
