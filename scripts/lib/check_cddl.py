"""Checks every hex vector of WIRE.md against its rule in protocol.cddl, and that each element of it is held to one."""

import re
import sys
from pathlib import Path

import cbor2
import pycddl

# Vectors whose rule has another name.
RULES = {
    "handshake-request": "handshake-message", "health-answer": "[1, 1, health]",
    "challenge-answer": "[1, 3, challenge-answer]", "document-answer": "[1, 2, document-answer]",
    "get-calendar": "google-get", "get-messages": "google-get", "get-metadata": "google-get",
    "get-answer": "google-get-answer", "record-get-answer-none": "record-get-answer", "failure-plain": "failure",
    "kms-credentials-lasting": "kms-credentials",
}

folder = Path(sys.argv[1])
rules = (folder / "protocol.cddl").read_text()
vectors = re.findall(r"```vector (\S+)\n([0-9a-f\n]+)```", (folder / "WIRE.md").read_text())
problems = []
for name, text in vectors:
    rule = RULES.get(name, name)
    if not rule.startswith("[") and not re.search(rf"^{re.escape(rule)} = ", rules, re.MULTILINE):
        problems.append(f"{name}: protocol.cddl has no rule {rule}")
        continue
    schema = pycddl.Schema(f"start = {rule}\n{rules}")
    message = bytes.fromhex(text.replace("\n", ""))
    try:
        schema.validate_cbor(message)
    except pycddl.ValidationError as error:
        problems.append(f"{name}: {str(error).splitlines()[0]}")
    # No rule knows a map, so an element made one has to be refused wherever it stands; of a list the validator looks
    # at the first only.
    elements = cbor2.loads(message)
    if re.search(rf"^{re.escape(rule)} = \[\d+\*", rules, re.MULTILINE):
        elements = elements[:1]
    for index in range(len(elements) if isinstance(elements, list) else 0):
        try:
            schema.validate_cbor(cbor2.dumps(elements[:index] + [{}] + elements[index + 1:]))
            problems.append(f"{name}: element {index} may be anything by rule {rule}")
        except pycddl.ValidationError:
            pass
for problem in problems:
    print(f"WIRE.md: {problem}", file=sys.stderr)
print(f"{len(vectors)} vectors of WIRE.md checked against protocol.cddl")
sys.exit(1 if problems or not vectors else 0)
