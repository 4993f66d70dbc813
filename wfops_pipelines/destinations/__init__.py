"""Where released rows go."""

from wfops_pipelines.destinations.database import DatabaseTable, database_table
from wfops_pipelines.destinations.declaring import rest_destination
from wfops_pipelines.destinations.files import FileTable, file_table
from wfops_pipelines.destinations.foreseeing import Exacting, Foreseen, Misfit
from wfops_pipelines.destinations.looking import Many, many
from wfops_pipelines.destinations.numbers import Numbered
from wfops_pipelines.destinations.parcel import (
    Choosy,
    Existing,
    Keep,
    Listing,
    Parcel,
    Reverted,
    Spelling,
    Written,
    can_list,
    existing_in_parts,
    no_undo,
)
from wfops_pipelines.destinations.rest import RestDestination
from wfops_pipelines.destinations.table import TableDestination, table

__all__ = [
    "Choosy",
    "DatabaseTable",
    "Exacting",
    "Existing",
    "FileTable",
    "Foreseen",
    "Keep",
    "Listing",
    "Many",
    "Misfit",
    "Numbered",
    "Parcel",
    "RestDestination",
    "Reverted",
    "Spelling",
    "TableDestination",
    "Written",
    "can_list",
    "database_table",
    "existing_in_parts",
    "file_table",
    "many",
    "no_undo",
    "rest_destination",
    "table",
]
