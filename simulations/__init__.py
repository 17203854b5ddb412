"""The whole federation on one machine: scenarios, sample data, comparison in the clear, reports."""

import os

# Read by Flower and Ray when they are imported: nothing here reports usage or looks for updates.
os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")
os.environ.setdefault("FLWR_DISABLE_UPDATE_CHECK", "1")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
# Asks for the behaviour Ray announces as its next default, and so for silence about it.
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
