"""What schemathesis needs to know of this API that OpenAPI cannot say. Loaded by scripts/schemathesis.

The limits stay as they are: before one is reached the run goes on as another user, and it comes from another address
each time, as if behind the proxy that TRUSTED_PROXY_IPS names.
"""
import collections, itertools, json, os, random, ssl, time, urllib.error, urllib.parse, urllib.request
from pathlib import Path

import schemathesis
import yaml

MODE = os.environ["CONTRACT_MODE"]  # valid, expired or none
API = os.environ["CONTRACT_API"]
STATE = Path(os.environ["CONTRACT_STATE"])
CONTROL = "http://127.0.0.1:%d" % json.loads((STATE / "ports.json").read_text())["control"]
CONTRACT = yaml.safe_load(Path(os.environ["CONTRACT_FILE"]).read_text())
OPERATIONS = {
    operation["operationId"]: operation
    for path in CONTRACT["paths"].values()
    for method, operation in path.items()
    if method != "parameters"
}
RELAY_PAUSE = 1.2 / CONTRACT["x-limits"]["attestation_relays_per_second"]
numbers = itertools.count(1)
run = random.randrange(1 << 24)


def fetch(url, body=None, headers=None, method=None):
    """Status, headers and body; follows no redirect."""

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_):
            return None

    handlers = [Stay()]
    if url.startswith("https:"):
        handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=STATE / "simulators/ca.pem")))
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **(headers or {})}, method=method)
    try:
        answer = urllib.request.build_opener(*handlers).open(request, timeout=20)
    except urllib.error.HTTPError as error:
        answer = error
    return answer.status, answer.headers, answer.read()


def address():
    number = (run + next(numbers) * 7919) % (1 << 24)
    return f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"


def mint(lifetime):
    body = {"subject": f"contract_{run}_{next(numbers)}", "lifetimeSeconds": lifetime}
    return json.loads(fetch(CONTROL + "/clerk/tokens", body)[2])["token"]


class User:
    """A person with a phone and a connected Google account."""

    def __init__(self):
        self.token = mint(3600)
        self.calls = collections.Counter()
        self.post("/v1/devices/apns", {"device_id": "contract", "apns_token": f"token-{run}-{next(numbers)}", "environment": "sandbox"})
        self.connector = self.post("/v1/connectors/google/callback", self.consent())["connector_id"]
        self.calls.update(["device_register", "google_connect_callback"])

    def consent(self):
        """State and code, as the app gets them after the consent page."""
        self.calls["google_connect_start"] += 1
        page = self.post("/v1/connectors/google/start", {"redirect_uri": "alfred://oauth/google/callback"})["auth_url"]
        bridge = fetch(f"{page}&simulator_account=contract-{run}-{next(numbers)}%40example.test")[1]["Location"]
        app = fetch(bridge, headers={"X-Forwarded-For": address()})[1]["Location"]
        return {name: value for name, value in urllib.parse.parse_qsl(urllib.parse.urlsplit(app).query) if name in ("state", "code")}

    def post(self, path, body):
        status, _, answer = fetch(API + path, body, {"Authorization": "Bearer " + self.token})
        assert status == 200, f"{path} answered {status} {answer!r} while a user was made"
        return json.loads(answer)


class Users:
    current = None

    def one(self, operation):
        """The present user, or a new one before his limit is reached; a deleted one only follows his deletion."""
        limit = operation.get("x-rate-limit")
        name = operation["operationId"]
        user = self.current
        if user is not None:
            gone = user.connector is None and name in ("askAssistant", "revokeConnector")
            deleted = user.calls["privacy_delete_all"] and name not in ("readDeletion", "requestDeletion")
            full = limit and limit["subject"] == "user" and user.calls[limit["bucket"]] >= limit["limit"] - 1
            if gone or deleted or full:
                user = None
        if user is None:
            user = self.current = User()
        if limit:
            user.calls[limit["bucket"]] += 1
        return user


users = Users()
expired = mint(-3600) if MODE == "expired" else None

PLACEHOLDER = "Bearer a-valid-token"

if MODE != "none":

    @schemathesis.auth(refresh_interval=None)
    class Token:
        """Credentials are put on when a case is made, long before it is sent: the token comes when it is."""

        def get(self, case, context):
            return PLACEHOLDER if operation_of(case).get("security") != [] else None

        def set(self, case, data, context):
            if data:
                case.headers = case.headers or {}
                case.headers["Authorization"] = data


def operation_of(case):
    return OPERATIONS[case.operation.definition.raw["operationId"]]


@schemathesis.hook
def before_call(context, case, kwargs):
    case.headers = case.headers or {}
    case.headers["X-Forwarded-For"] = address()
    operation = operation_of(case)
    name = operation["operationId"]
    if case.headers.get("Authorization") == PLACEHOLDER:
        case.headers["Authorization"] = "Bearer " + (expired or users.one(operation).token)
    if operation.get("x-rate-limit", {}).get("bucket") == "attestation":
        time.sleep(RELAY_PAUSE)
    # What no schema can say, in half of the valid requests: the time that it is, a code of Google's, an id of one's own.
    if not is_valid(case) or random.random() < 0.5:
        return
    if name == "challengeEnclave" and isinstance(case.body, dict):
        case.body = {**case.body, "issued_at": int(time.time()), "expires_at": int(time.time()) + 60}
    user = users.current if MODE == "valid" else None
    if user and name == "completeGoogleConnect" and user.calls["google_connect_start"] < 19:
        case.body = user.consent()
    if user and name == "revokeConnector" and user.connector:
        case.path_parameters = {"connector_id": user.connector}
        user.connector = None


def is_valid(case):
    return case.meta is not None and case.meta.generation.mode.is_positive


def codes(operation, status):
    response = operation["responses"].get(str(status), {})
    if "$ref" in response:
        response = CONTRACT["components"]["responses"][response["$ref"].rsplit("/", 1)[1]]
    return response.get("x-codes", [])


@schemathesis.check
def documented_code(context, response, case):
    """A refusal has a code that the operation lists; a valid request is refused only for what is stored or what time it is."""
    operation = operation_of(case)
    status = response.status_code
    if status < 400 or status == 405:
        return
    body = json.loads(response.content)
    code = body.get("code") or body["error"]["code"]
    known = codes(operation, status)
    if str(status) in operation["responses"] and code not in known:
        raise AssertionError(f"{status} {code} is not among {known}")
    if is_valid(case) and status in (400, 409, 413, 415, 422) and code not in operation.get("x-refused-by-state", []):
        raise AssertionError(f"a valid request was refused with {status} {code}")


@schemathesis.check
def nobody_without_a_valid_token(context, response, case):
    """Without a valid token nothing of a user's is answered."""
    operation = operation_of(case)
    if MODE != "valid" and operation.get("security") != [] and response.status_code < 400:
        raise AssertionError(f"answered {response.status_code} without a valid token")
