"""The Dagster UI with the product's own pages beside it, under `/wfops`."""
