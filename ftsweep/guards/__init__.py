"""What ruins a result: data quality, leaks between splits, unfit training."""
