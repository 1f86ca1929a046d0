#!/usr/bin/env bash
# Asks a running enclave for health, document and a challenge, and verifies the evidence; exit 0 only when all hold.
# usage: scripts/enclave-runtime/smoke.sh [url]      (default: ENCLAVE_RUNTIME_BASE_URL, else tcp://127.0.0.1:8181)
source "$(dirname "$0")/../lib/common.sh"
cd "$ROOT"
case ${1:-} in -h | --help) sed -n '2,3s/^# //p' "${BASH_SOURCE[0]}"; exit 0 ;; esac
[ $# -le 1 ] || { sed -n 3p "${BASH_SOURCE[0]}" >&2; exit 2; }
url=${1:-${ENCLAVE_RUNTIME_BASE_URL:-}}
if [ -z "$url" ] && [ -f .env ]; then
    url=$(sed -n 's/^[[:space:]]*\(export[[:space:]]\+\)\?ENCLAVE_RUNTIME_BASE_URL[[:space:]]*=[[:space:]]*//p' .env | tail -n 1)
fi
url=${url:-tcp://127.0.0.1:8181}
[ -x .build/debug/alfredctl ] || build alfredctl
exec .build/debug/alfredctl attest challenge "$url"
