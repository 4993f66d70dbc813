"""What the product remembers: PostgreSQL for facts, Parquet files for snapshots."""
