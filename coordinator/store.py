"""The coordinator's database: jobs, their approvals, and how far they are."""

from __future__ import annotations

from sqlalchemy import Column, Integer, LargeBinary, MetaData, String, Table

metadata = MetaData()

jobs = Table(
    "coordinator_jobs",
    metadata,
    Column("job_id", String, primary_key=True),
    Column("spec", LargeBinary, nullable=False),
    Column("approvals", LargeBinary, nullable=False),
    Column("status", String, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("phase", String, nullable=False),
    Column("outcome", LargeBinary, nullable=False),
)
