"""The shipped config groups; packaged as `ftsweep.conf`."""
