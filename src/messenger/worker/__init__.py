"""The process that takes messages and has them handled."""

from messenger.worker.loop import Worker, WorkerOptions

__all__ = ["Worker", "WorkerOptions"]
