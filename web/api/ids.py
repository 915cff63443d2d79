"""The identifiers that programs see, as the API reads and writes them: see `models.public_ids`."""

from models.public_ids import Ids, Kind

__all__ = ["Ids", "Kind"]
