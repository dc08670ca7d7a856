"""The process that takes messages and has them handled."""

from messenger.worker.options import WorkerOptions
from messenger.worker.worker import Worker

__all__ = ["Worker", "WorkerOptions"]
