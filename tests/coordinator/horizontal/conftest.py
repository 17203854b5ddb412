"""Flower messages are made for a run: for this one, when tests are collected already."""

from __future__ import annotations

from flwr.supercore.task_identity import TaskIdentity

TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = 1, 1, 1
