#!/usr/bin/env bash
# Runs the local enclave (enclave-dev-shim) in the foreground on ENCLAVE_RUNTIME_BIND_ADDR, with .env and its own keys.
source "$(dirname "$0")/../lib/common.sh"
cd "$ROOT"
case ${1:-} in -h | --help) echo "usage: scripts/enclave-runtime/start-local.sh   the local enclave, with .env"; exit 0 ;; esac
[ $# -eq 0 ] || { echo "usage: scripts/enclave-runtime/start-local.sh" >&2; exit 2; }
[ -f .env ] || die "there is no .env: cp .env.example .env, then scripts/local-keys"
install_packages libsodium-dev libssl-dev libcurl4-openssl-dev
need_swift
say "Building enclave-dev-shim (debug), without any third-party package"
build_enclave_only --product enclave-dev-shim
exec .build-enclave/debug/enclave-dev-shim
