"""From a sweep file to checked values: the typed core, Hydra composition, and the one place that builds objects."""
