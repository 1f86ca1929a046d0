# `scripts/bench api` and `scripts/bench audit`; sourced by scripts/bench.

# The whole local system with one API of its own that nobody asks; the measured ones are started beside it.
bench_stack() {
    local state=$1 log=.local/bench/stack.log pid
    mkdir -p .local/bench
    .build/debug/alfred-local --serve --state "$ROOT/$state" >"$log" 2>&1 &
    BENCH_PIDS+=($!)
    for _ in $(seq 300); do
        grep -q '^== Serving' "$log" && break
        kill -0 "$!" 2>/dev/null || { cat "$log" >&2; die "the local system did not start"; }
        sleep 0.2
    done
    grep -q '^== Serving' "$log" || die "the local system did not start within a minute; see $log"
    # Everything the API was started with; the measured one gets the same.
    for pid in $(cat "$state/pids"); do
        [[ $(readlink "/proc/$pid/exe") == */api-server ]] || continue
        mapfile -d '' -t BENCH_ENVIRONMENT <"/proc/$pid/environ"
    done
}

bench_stop() {
    local pid
    for pid in "${BENCH_PIDS[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${BENCH_PIDS[@]}"; do wait "$pid" 2>/dev/null || true; done
    BENCH_PIDS=()
}

bench_variable() { printf '%s\n' "${BENCH_ENVIRONMENT[@]}" | sed -n "s/^$1=//p"; }

bench_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 12000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
    done
}

# Starts a server, waits until it answers, and sets BENCH_SERVER and BENCH_URL. Its log: .local/bench/NAME.log.
bench_server() {
    local name=$1 path=$2; shift 2
    "$@" >".local/bench/$name.log" 2>&1 &
    BENCH_SERVER=$!
    BENCH_PIDS+=("$BENCH_SERVER")
    for _ in $(seq "${BENCH_TRIES:-150}"); do
        curl -s -o /dev/null --max-time 1 "$BENCH_URL$path" && return
        kill -0 "$BENCH_SERVER" 2>/dev/null || { tail -5 ".local/bench/$name.log" >&2; die "$name ended"; }
        sleep 0.2
    done
    die "$name does not answer; see .local/bench/$name.log"
}

# Requests per second, p50 and p99 in milliseconds, requests, failures.
bench_wrk() {
    wrk -t1 -c64 -d"$1s" --timeout 5s -s Tests/Benchmarks/api-bench/tokens.lua "$BENCH_URL" -- .local/bench/tokens.lua |
        sed -n 's/^figures //p'
}

# GET /v1/preferences of the release executable, with the access log on, beside the same endpoint in Starlette and beside
# its SELECT in pgbench. One run, one load generator, one database.
api() {
    local seconds=${1:-8} million=${2:-1000000} users=10000
    [[ $seconds =~ ^[1-9][0-9]?$ && $million =~ ^[1-9][0-9]{0,6}$ ]] || usage 2
    need_swift
    install_packages "${LIBRARY_PACKAGES[@]}" "${SERVER_PACKAGES[@]}" postgresql-contrib python3-venv wrk curl
    local venv=.local/bench/api-venv
    local packages=(starlette==1.10.0 uvicorn==0.54.0 uvloop==0.23.0 httptools==0.9.0 orjson==3.13.0 asyncpg==0.32.0
        'PyJWT[crypto]==2.15.1')
    if [ "$(cat "$venv/ready" 2>/dev/null)" != "${packages[*]}" ]; then
        say "Installing into $venv: ${packages[*]}"
        python3 -m venv "$venv"
        "$venv/bin/pip" install -q --disable-pip-version-check "${packages[@]}"
        printf '%s' "${packages[*]}" >"$venv/ready"
    fi
    if [ "${BENCH_BUILD:-1}" = 1 ]; then
        build --executables >&2
        say "Building api-server (release)"
        swift build "${STRICT[@]}" -c release --product api-server >&2
    fi
    local pgbench; pgbench=$(ls /usr/lib/postgresql/*/bin/pgbench | sort -V | tail -1)
    BENCH_PIDS=()
    trap bench_stop EXIT
    bench_stack .local/bench/api-stack
    local database owner user
    database=$(bench_variable DATABASE_URL)
    owner=$(scripts/infra env --dir .local/bench/api-stack/infra | sed -n 's/^OWNER_DATABASE_URL=//p')
    say "$users users, each with a token of the simulated Clerk (RS256) and stored preferences"
    user=$("$venv/bin/python3" Tests/Benchmarks/api-bench/prepare.py --users "$users" --owner "$owner" \
        --control "$(sed -n 's/.*"control":\([0-9]*\).*/\1/p' .local/bench/api-stack/ports.json)" \
        --issuer "$(bench_variable CLERK_ISSUER)" --tokens .local/bench/tokens.lua)

    say "$seconds s each, 64 connections over loopback, $(nproc) processors for server, Postgres, Redis and wrk together"
    printf '%-44s %9s %9s %9s %9s %9s\n' "" "per s" "p50 ms" "p99 ms" "failures" "MB"
    local row figures=() resident
    line() {
        resident=$(awk '/^VmRSS/ { printf "%.1f", $2 * 1024 / 1e6 }' "/proc/$BENCH_SERVER/status" 2>/dev/null || echo 0)
        read -r -a row <<<"$2"
        printf '%-44s %9d %9.1f %9.1f %9d %9.1f\n' "$1" "${row[0]}" "${row[1]}" "${row[2]}" "${row[4]}" "$resident"
        figures+=("$3 ${row[*]} $resident")
    }
    local limit
    limit=$("$pgbench" -n -M prepared -c 64 -j 1 -T "$seconds" -D user="$user" \
        -f Tests/Benchmarks/api-bench/select.sql "$database" 2>/dev/null | awk '/^tps/ { printf "%d", $3 }')
    printf '%-44s %9d\n' "pgbench, that SELECT, prepared, over TCP" "$limit"
    local workers
    for workers in 1 2; do
        BENCH_URL=http://127.0.0.1:$(bench_port)
        bench_server "starlette-$workers" /v1/preferences env "${BENCH_ENVIRONMENT[@]}" \
            "$venv/bin/uvicorn" --app-dir Tests/Benchmarks/api-bench reference:app --port "${BENCH_URL##*:}" \
            --loop uvloop --http httptools --workers "$workers" --no-access-log --log-level warning
        bench_wrk 1 >/dev/null
        line "Starlette, $workers worker$([ "$workers" = 1 ] || echo s) (no limiter, no log)" "$(bench_wrk "$seconds")" \
            "starlette$workers"
        kill "$BENCH_SERVER"; wait "$BENCH_SERVER" 2>/dev/null || true
    done
    local kind remembered
    for kind in "checked 0" "remembered $((2 * users))"; do
        read -r kind remembered <<<"$kind"
        BENCH_URL=http://127.0.0.1:$(bench_port)
        bench_server "api-$kind" /readyz env -i "${BENCH_ENVIRONMENT[@]}" \
            API_BIND_ADDR="${BENCH_URL#http://}" METRICS_BIND_ADDR="127.0.0.1:$(bench_port)" \
            CLERK_VERIFIED_TOKENS="$remembered" .build/release/api-server
        bench_wrk 2 >/dev/null
        case $kind in
            checked) line "Alfred, every signature checked" "$(bench_wrk "$seconds")" checked ;;
            remembered)
                line "Alfred, verified tokens remembered" "$(bench_wrk "$seconds")" remembered
                line "Alfred, $million requests" "$(bench_wrk $((million / row[0] + 1)))" million
                ;;
        esac
        kill "$BENCH_SERVER"; wait "$BENCH_SERVER" 2>/dev/null || true
    done
    printf '%s\n' "${figures[@]}" | awk -v limit="$limit" -v check="${BENCH_CHECK:-0}" '
        { rate[$1] = $2; p50[$1] = $3; p99[$1] = $4; failures += $6; resident[$1] = $7 }
        function judge(text, value, goal, good) { printf "%-66s %8.2f (goal: %s)\n", text, value, goal; if (!good) missed = 1 }
        END {
            printf "\nlimiter, log and metrics on; signature of every token checked:\n"
            value = rate["checked"] / rate["starlette2"]; judge("  times two workers of Starlette", value, "2.5", value >= 2.5)
            value = rate["checked"] / limit; judge("  of pgbench", value, "0.20", value >= 0.2)
            printf "limiter, log and metrics on; signatures of known tokens remembered:\n"
            value = rate["remembered"] / rate["starlette2"]; judge("  times two workers of Starlette", value, "3", value >= 3)
            value = rate["remembered"] / limit; judge("  of pgbench", value, "0.33", value >= 1 / 3)
            judge("p99, ms, beside p50 of two workers", p99["checked"], sprintf("%.1f", p50["starlette2"]),
                p99["checked"] < p50["starlette2"])
            judge("resident after the last of these requests, MB", resident["million"], "80", resident["million"] < 80)
            judge("requests that failed", failures, "0", failures == 0)
            if (check && missed) exit 1
        }'
}

# A page of the audit trail of a user with 10,000 events and of one with many, at places all over the trail, through the API.
audit() {
    local rows=${1:-1000000}
    [[ $rows =~ ^[1-9][0-9]{4,7}$ ]] || usage 2
    need_swift
    install_packages "${LIBRARY_PACKAGES[@]}" "${SERVER_PACKAGES[@]}" python3-venv curl
    if [ "${BENCH_BUILD:-1}" = 1 ]; then
        build --executables >&2
        say "Building api-server (release)"
        swift build "${STRICT[@]}" -c release --product api-server >&2
    fi
    BENCH_PIDS=()
    trap 'bench_stop; scripts/infra down --dir .local/bench/audit-stack/infra >/dev/null 2>&1 || true' EXIT
    bench_stack .local/bench/audit-stack
    BENCH_URL=http://127.0.0.1:$(bench_port)
    bench_server audit-api /readyz env -i "${BENCH_ENVIRONMENT[@]}" API_BIND_ADDR="${BENCH_URL#http://}" \
        METRICS_BIND_ADDR="127.0.0.1:$(bench_port)" .build/release/api-server
    say "10000 and $rows events; 100 pages of each, ms"
    python3 Tests/Benchmarks/api-bench/audit_pages.py --api "$BENCH_URL" --rows 10000 "$rows" \
        --owner "$(scripts/infra env --dir .local/bench/audit-stack/infra | sed -n 's/^OWNER_DATABASE_URL=//p')" \
        --control "$(sed -n 's/.*"control":\([0-9]*\).*/\1/p' .local/bench/audit-stack/ports.json)" |
        awk -v check="${BENCH_CHECK:-0}" '
            { print; rows[NR] = $1; p50[NR] = $4 }
            END {
                printf "p50 with %d events: %.2f of that with %d (goal: flat, at most 1.25)\n", rows[2], p50[2] / p50[1], rows[1]
                if (check && p50[2] > 1.25 * p50[1]) exit 1
            }'
}
