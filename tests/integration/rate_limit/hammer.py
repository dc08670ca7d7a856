"""A process that asks for tokens as fast as it can: hammer.py URL ASKS LIMIT INTERVAL BURST.

Waits for a line on stdin, asks that often, and prints when each of its tokens was taken: [before, after], seconds.
"""

from __future__ import annotations

import json
import sys
import time

from messenger.rate_limit.in_redis import RedisRateLimiter
from messenger.rate_limit.limiter import Rate
from messenger.redis.dsn import parse_redis_dsn


def main(url: str, asks: int, rate: Rate) -> None:
    limiter = RedisRateLimiter(parse_redis_dsn("control", url), "test:rate:sms", rate)
    limiter.give_back("")  # connected
    print("ready", flush=True)
    sys.stdin.readline()
    taken = []
    for _ in range(asks):
        before = time.time()
        if limiter.acquire("") == 0.0:
            taken.append((before, time.time()))
    print(json.dumps(taken))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Rate(int(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5])))
