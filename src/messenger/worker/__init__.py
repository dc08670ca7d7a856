"""The worker: the process that receives messages and has them handled."""

from messenger.worker.options import WorkerOptions
from messenger.worker.worker import Worker

__all__ = ["Worker", "WorkerOptions"]
