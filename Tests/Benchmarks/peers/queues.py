"""Jobs that do nothing through pgqueuer or procrastinate; prints jobs per second.

usage: queues.py pgqueuer|procrastinate DSN JOBS CONCURRENCY BATCH

The database must be empty. procrastinate takes one job at a time, so BATCH is not used there.
"""
import asyncio
import sys
import time

import uvloop


async def pgqueuer(dsn, jobs, concurrency, batch):
    import asyncpg
    from pgqueuer import PgQueuer
    from pgqueuer.queries import Queries
    from pgqueuer.types import QueueExecutionMode

    async with asyncpg.create_pool(dsn, min_size=8, max_size=8) as pool:
        pgq = PgQueuer.from_asyncpg_pool(pool)
        queries = Queries.from_asyncpg_pool(pool)
        await queries.install()
        done = 0

        @pgq.entrypoint("noop")
        async def noop(job):
            nonlocal done
            done += 1

        for _ in range(0, jobs, 1000):
            await queries.enqueue(["noop"] * 1000, [None] * 1000, [0] * 1000)
        await pool.execute("vacuum analyze")
        begin = time.perf_counter()
        await pgq.run(batch_size=batch, max_concurrent_tasks=concurrency, mode=QueueExecutionMode.drain)
        took = time.perf_counter() - begin
        assert done == jobs, f"{done} of {jobs} ran"
        assert await pool.fetchval("select count(*) from pgqueuer") == 0
        return jobs / took


async def procrastinate(dsn, jobs, concurrency, _):
    import psycopg
    from procrastinate import App, PsycopgConnector

    app = App(connector=PsycopgConnector(conninfo=dsn, min_size=8, max_size=max(8, min(concurrency, 16))))
    done = 0

    @app.task(name="noop")
    async def noop():
        nonlocal done
        done += 1

    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        for _ in range(0, jobs, 1000):
            await noop.batch_defer_async(*[{}] * 1000)
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            await connection.execute("vacuum analyze")
        begin = time.perf_counter()
        await app.run_worker_async(concurrency=concurrency, wait=False, install_signal_handlers=False)
        took = time.perf_counter() - begin
    assert done == jobs, f"{done} of {jobs} ran"
    return jobs / took


peer, dsn, *numbers = sys.argv[1:]
rate = uvloop.run({"pgqueuer": pgqueuer, "procrastinate": procrastinate}[peer](dsn, *map(int, numbers)))
print(f"{peer}_jobs_per_second {rate:.0f}")
