"""Fills audit trails of given lengths, and times pages of them at places spread over the whole trail, through the API."""
import argparse
import http.client
import json
import random
import subprocess
import time
import urllib.parse
import uuid

# As many as the limit of reads lets through in a minute, with room for the warm-up.
PAGES, WARM_UP = 100, 10
NEWEST = 1_750_000_000_000_000
STEP = 1_000_000

FILL = """
set session_replication_role = replica;
insert into alfred.audit_events (id, user_id, event_type, connector, result, redacted_metadata, created_at)
select ('{trail}-0000-4000-8000-' || lpad(to_hex(number), 12, '0'))::uuid, '{user}', 'GOOGLE_CONNECT_COMPLETED', 'google', 'SUCCESS', '{{"request_id":"bench"}}',
    timestamptz 'epoch' + ({newest} - number * {step}) * interval '1 microsecond'
from generate_series(0::bigint, {rows} - 1) number;
"""


def request(connection, method, path, body=None, headers=None):
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != 200:
        raise SystemExit(f"{method} {path.split('?')[0]} answered {answer.status}")
    return json.loads(content)


def run(owner, sql):
    if subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", owner], input=sql, text=True).returncode != 0:
        raise SystemExit("psql failed")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, nargs="+", required=True)
    parser.add_argument("--control", type=int, required=True)
    for name in ("--api", "--owner"):
        parser.add_argument(name, required=True)
    given = parser.parse_args()
    control = http.client.HTTPConnection("127.0.0.1", given.control, timeout=30)
    api = http.client.HTTPConnection(urllib.parse.urlsplit(given.api).netloc, timeout=60)
    trails = []
    for index, rows in enumerate(given.rows):
        subject = f"audit_{rows}_{uuid.uuid4().hex}"
        token = request(
            control, "POST", "/clerk/tokens", json.dumps({"subject": subject}), {"content-type": "application/json"})
        headers = {"authorization": "Bearer " + token["token"]}
        request(api, "GET", "/v1/preferences", headers=headers)
        user = subprocess.run(
            ["psql", "-X", "-At", given.owner, "-c", "select id from alfred.users order by created_at desc limit 1"],
            capture_output=True, text=True, check=True).stdout.strip()
        run(given.owner, FILL.format(trail=f"{index:08x}", user=user, rows=rows, newest=NEWEST, step=STEP))
        trails.append((rows, headers))
    run(given.owner, "vacuum analyze alfred.audit_events; checkpoint;")
    for rows, headers in trails:
        # The server has closed a connection that was silent for minutes.
        api.close()
        places = [NEWEST - STEP * (rows * number // PAGES) for number in range(PAGES)]
        random.Random(1).shuffle(places)
        times, items = [], 0
        for place in places[:WARM_UP] + places:
            cursor = urllib.parse.quote(f"{place + 1}|{uuid.UUID(int=0)}")
            begin = time.perf_counter()
            page = request(api, "GET", f"/v1/audit-events?cursor={cursor}", headers=headers)
            times.append((time.perf_counter() - begin) * 1000)
            items += len(page["items"])
        times = sorted(times[WARM_UP:])
        if items != (PAGES + WARM_UP) * 50:
            raise SystemExit(f"{items} events where {(PAGES + WARM_UP) * 50} are")
        print(f"{rows:9} events: p50 {times[len(times) // 2]:.2f}  p99 {times[-2]:.2f}  max {times[-1]:.2f}", flush=True)


main()
