"""Where released rows go."""

from wfops_pipelines.destinations.parcel import Existing, Parcel, Written
from wfops_pipelines.destinations.rest import RestDestination, rest_destination
from wfops_pipelines.destinations.table import TableDestination, table

__all__ = [
    "Existing",
    "Parcel",
    "RestDestination",
    "TableDestination",
    "Written",
    "rest_destination",
    "table",
]
