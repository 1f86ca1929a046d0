"""Users with stored preferences and a session token each, from the simulated Clerk; the tokens go into a Lua table for wrk."""
import argparse
import asyncio
import http.client
import json
import threading
import uuid

import asyncpg

# Namespace of Alfred's user ids.
NAMESPACE = uuid.UUID("10850be7-d81f-4f4e-a2dc-0bb96943a09e")


def mint(control, subjects, tokens):
    connection = http.client.HTTPConnection("127.0.0.1", control, timeout=30)
    for subject in subjects:
        body = json.dumps({"subject": subject, "lifetimeSeconds": 36000})
        connection.request("POST", "/clerk/tokens", body, {"content-type": "application/json"})
        tokens[subject] = json.loads(connection.getresponse().read())["token"]


async def store(owner, users):
    connection = await asyncpg.connect(owner)
    await connection.execute("insert into alfred.users (id) select unnest($1::uuid[]) on conflict do nothing", users)
    await connection.execute(
        "insert into alfred.user_preferences (user_id) select unnest($1::uuid[]) on conflict do nothing", users)
    await connection.execute("vacuum analyze alfred.users")
    await connection.execute("vacuum analyze alfred.user_preferences")
    await connection.close()


def main():
    parser = argparse.ArgumentParser()
    for name in ("--control", "--users"):
        parser.add_argument(name, type=int, required=True)
    for name in ("--issuer", "--owner", "--tokens"):
        parser.add_argument(name, required=True)
    given = parser.parse_args()
    subjects = [f"bench_{number}" for number in range(given.users)]
    tokens = {}
    threads = [threading.Thread(target=mint, args=(given.control, subjects[part::4], tokens)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(tokens) != given.users:
        raise SystemExit("the simulated Clerk did not mint every token")
    users = [uuid.uuid5(NAMESPACE, f"{given.issuer}:{subject}") for subject in subjects]
    asyncio.run(store(given.owner, users))
    with open(given.tokens, "w") as file:
        file.write("return {\n" + "".join(f'"{tokens[subject]}",\n' for subject in subjects) + "}\n")
    print(users[0])


main()
