"""The coordinator's database: jobs, approvals, how far they are, sums as it knows them."""

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

horizontal_sums = Table(
    "coordinator_horizontal_sums",
    metadata,
    Column("job_id", String, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("name", String, nullable=False),
    Column("status", String, nullable=False),
    Column("contributors", String, nullable=False),
    Column("missing", String, nullable=False),
    Column("lost", String, nullable=False),
    Column("bytes", Integer, nullable=False),
    Column("wall_ms", Integer, nullable=False),
    Column("party_ms", String, nullable=False),
)

horizontal_epochs = Table(
    "coordinator_horizontal_epochs",
    metadata,
    Column("job_id", String, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("epoch", Integer, nullable=False),
)

horizontal_traffic = Table(
    "coordinator_horizontal_traffic",
    metadata,
    Column("job_id", String, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("party", String, primary_key=True),
    Column("step", String, primary_key=True),
    Column("sent_messages", Integer, nullable=False),
    Column("sent_bytes", Integer, nullable=False),
    Column("received_messages", Integer, nullable=False),
    Column("received_bytes", Integer, nullable=False),
)
