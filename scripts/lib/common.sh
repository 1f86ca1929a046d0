# Shared by the scripts a person types; sourced, never run. Sets -euo pipefail and ROOT.
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
STRICT=(--explicit-target-dependency-import-check error)
LIBRARY_PACKAGES=(libsodium-dev libssl-dev libpq-dev libhiredis-dev libcurl4-openssl-dev)
SERVER_PACKAGES=(postgresql redis-server openssl)

say() { printf '\033[1m== %s\033[0m\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# Installs the Debian packages that are missing, telling which first.
install_packages() {
    local missing=() package
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    command -v apt-get >/dev/null || die "these packages are missing and apt-get is not here: ${missing[*]}"
    local root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || die "these packages are missing; as root: apt-get install ${missing[*]}"
        root=(sudo)
    fi
    say "Installing Debian packages: ${missing[*]}"
    "${root[@]}" apt-get update -qq
    # The servers run as private processes on ports of their own, so Debian's units must not start.
    local policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | "${root[@]}" tee "$policy" >/dev/null
        "${root[@]}" chmod 755 "$policy"
        trap '"${root[@]}" rm -f '"$policy" RETURN
    fi
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
}

need_swift() {
    command -v swift >/dev/null || die "no Swift toolchain in PATH; see https://www.swift.org/install/linux/ (6.2 or later)"
}

# Builds the enclave alone. Through links in a folder of its own: beside the Package.resolved that a full build leaves,
# SwiftPM fetches every package it lists, although none is used.
build_enclave_only() {
    need_swift
    local links="$ROOT/.local/enclave-only" name
    mkdir -p "$links"
    for name in Package.swift shared-proto enclave Tests; do ln -sfn "$ROOT/$name" "$links/$name"; done
    ENCLAVE_ONLY=1 swift build --package-path "$links" --scratch-path "$ROOT/.build-enclave" "${STRICT[@]}" "$@"
}

# Builds with SwiftPM's own progress: the named product, all executables (--executables), or everything with the tests.
build() {
    need_swift
    local arguments=(--build-tests) what="everything"
    case ${1:-} in
        "") ;;
        --executables) arguments=(); what="all executables" ;;
        *) arguments=(--product "$1"); what=$1 ;;
    esac
    say "Building $what (debug). The first time takes about ten minutes on two cores; later seconds."
    (cd "$ROOT" && swift build "${STRICT[@]}" "${arguments[@]}")
}

# Python packages of the tests, in .local/venv: of Noise (a peer for the handshake), CDDL and OpenAPI.
python_tools() {
    local packages=(noiseprotocol==0.3.1 pycddl==0.6.4 cbor2==5.9.0 PyYAML==6.0.4 schemathesis==4.32.5)
    local venv="$ROOT/.local/venv"
    [ "$(cat "$venv/ready" 2>/dev/null)" != "${packages[*]}" ] || return 0
    say "Installing Python packages into .local/venv: ${packages[*]}"
    python3 -m venv "$venv"
    "$venv/bin/pip" install -q --disable-pip-version-check "${packages[@]}"
    printf '%s' "${packages[*]}" >"$venv/ready"
}
