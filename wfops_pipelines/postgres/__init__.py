"""What the store and the destinations both need to write to PostgreSQL: names, types and COPY.

A room below both, since neither may import the other.
"""
