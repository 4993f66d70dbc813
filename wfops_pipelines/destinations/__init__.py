"""Where released rows go."""

from wfops_pipelines.destinations.parcel import (
    Existing,
    Keep,
    Listing,
    Parcel,
    Reverted,
    Written,
)
from wfops_pipelines.destinations.rest import RestDestination, rest_destination
from wfops_pipelines.destinations.table import TableDestination, table

__all__ = [
    "Existing",
    "Keep",
    "Listing",
    "Parcel",
    "RestDestination",
    "Reverted",
    "TableDestination",
    "Written",
    "rest_destination",
    "table",
]
