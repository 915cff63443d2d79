"""Files of people as JSON: how far one is, what came of it."""

from datetime import datetime

from pydantic import Field

from models.contact import BulkImport, BulkState, ImportRun
from web.api.ids import Ids, Kind
from web.api.paging import Pickable
from web.api.schemas import Told


class CountsOut(Told):
    """Rows so far. `noted` were taken over with something missing or doubtful; the report says what.

    `suppressed`: addresses that are not written to whatever the file says.
    """

    read: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    noted: int = 0
    suppressed: int = 0


class ImportOut(Pickable):
    """One file. `progress` goes from 0 to 1; `columns` say as what each column was understood."""

    id: str = Field(examples=["imp_aeaaaaaaaaaaaaaaaaaaaaaa"])
    state: BulkState
    progress: float
    problem: str | None
    file_name: str | None
    columns: dict[str, str]
    counts: CountsOut
    created_at: datetime
    finished_at: datetime | None
    links: dict[str, str]

    @classmethod
    def of(cls, ids: Ids, job: BulkImport, run: ImportRun | None, base: str) -> "ImportOut":
        """As it stands."""
        own = f"{base}/contacts/imports/{ids.write(Kind.IMPORT, job.id)}"
        counts = CountsOut()
        if run is not None:
            counts = CountsOut(
                read=run.rows_read,
                created=run.rows_created,
                updated=run.rows_updated,
                unchanged=run.rows_unchanged,
                rejected=run.rows_rejected,
                noted=run.rows_noted,
                suppressed=run.addresses_suppressed,
            )
        return cls(
            id=ids.write(Kind.IMPORT, job.id),
            state=job.state,
            progress=round(job.bytes_read / job.size, 3) if job.size else 0,
            problem=job.problem or None,
            file_name=job.file_name or None,
            columns=job.columns,
            counts=counts,
            created_at=job.created_at,
            finished_at=job.finished_at,
            links={"self": own, "report": f"{own}/report"},
        )


class ReportLineOut(Told):
    """One row, or cell, that was not taken over, and why. `line` as the file's sender counts."""

    line: int
    rejected: bool
    field: str
    value: str
    reason: str
