"""Answers that take a while: begun once for an edition, looked at again by the page until they are there."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from client.serving.bench.job import Job
from client.serving.edition.edition import Edition
from client.serving.process.bench import Bench
from client.serving.process.refusal import Refusal
from common.errors import ConfigError, DataError

SOON_SECONDS, LONGEST_SECONDS = 1.5, 300.0
MOST_KEPT = 200
Task = asyncio.Task[dict[str, Any]]


@dataclass(frozen=True)
class Answer:
    """What is known of an answer so far: its document, why there is none, or that it is being worked out."""

    document: dict[str, Any] | None = None
    trouble: str = ""

    @property
    def is_awaited(self) -> bool:
        """Whether it is still being worked out."""
        return self.document is None and not self.trouble


async def ask_softly(bench: Bench, edition: Edition, job: Job, tasks: dict[str, Task], *, spoken: str) -> Answer:
    """Have something worked out, and say what is known of it shortly after; the work goes on meanwhile.

    Parameters
    ----------
    tasks
        Begun before for the same edition; one that is begun here joins them.
    """
    key = f"{spoken} {job.model_dump_json()}"
    if key not in tasks:
        while len(tasks) >= MOST_KEPT:
            tasks.pop(next(iter(tasks))).cancel()
        tasks[key] = asyncio.create_task(bench.ask(edition, job, seconds=LONGEST_SECONDS, spoken=spoken))
    task = tasks[key]
    done, _ = await asyncio.wait({task}, timeout=SOON_SECONDS)
    if not done:
        return Answer()
    try:
        return Answer(document=task.result())
    except (ConfigError, DataError) as error:
        return Answer(trouble=str(error))
    except Refusal as refusal:  # too many wait, or the shop has just changed: it is begun again next time
        tasks.pop(key, None)
        return Answer(trouble=str(refusal))
    except asyncio.CancelledError:
        tasks.pop(key, None)
        return Answer()
