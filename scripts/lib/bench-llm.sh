# `scripts/bench llm`; sourced by scripts/bench, after bench-api.sh whose helpers it uses.

# nginx as OpenRouter: one fixed answer of its shape, so that the server is never what is measured.
bench_provider() {
    local folder=$1 port=$2
    cat >"$folder/nginx.conf" <<'CONF'
daemon off;
pid FOLDER/nginx.pid;
error_log FOLDER/error.log warn;
worker_processes 1;
events { worker_connections 1024; }
http {
    access_log off;
    client_body_temp_path FOLDER/body; proxy_temp_path FOLDER/proxy; fastcgi_temp_path FOLDER/fastcgi;
    uwsgi_temp_path FOLDER/uwsgi; scgi_temp_path FOLDER/scgi;
    keepalive_requests 1000000000;
    client_body_buffer_size 64k;
    server {
        listen 127.0.0.1:PORT;
        location = /api/v1/chat/completions {
            default_type application/json;
            return 200 'ANSWER';
        }
    }
}
CONF
    local content answer
    content='{"version":"2026-02-15","output":{"title":"Your day","summary":"Six meetings, the first at 00:00.","key_points":["00:00 - Meeting 0 about the plans of the quarter"],"follow_ups":[]}}'
    answer=$(python3 -c 'import json, sys
print(json.dumps({"id": "gen-1", "object": "chat.completion", "created": 1, "model": "openai/gpt-4o-mini",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": sys.argv[1]}}],
    "usage": {"prompt_tokens": 900, "completion_tokens": 60, "total_tokens": 960}}).replace("\\", "\\\\"))' "$content")
    ANSWER=$answer FOLDER=$(realpath "$folder") PORT=$port python3 -c 'import os, sys
text = open(sys.argv[1]).read()
for name in ("FOLDER", "PORT", "ANSWER"): text = text.replace(name, os.environ[name])
open(sys.argv[1], "w").write(text)' "$folder/nginx.conf"
    PATH=$PATH:/usr/sbin nginx -e "$(realpath "$folder")/error.log" -c "$(realpath "$folder/nginx.conf")" &
    BENCH_PIDS+=($!)
}

# The gateway beside a bare call to the same server, and LiteLLM with Redis: a Router in process, and as a proxy.
llm() {
    local seconds=${1:-8} folder=.local/bench/llm venv=.local/bench/llm-venv
    [[ $seconds =~ ^[1-9][0-9]?$ ]] || usage 2
    need_swift
    install_packages "${LIBRARY_PACKAGES[@]}" redis-server nginx-light python3-venv wrk curl
    local packages=('litellm[proxy]==1.108.7')
    if [ "$(cat "$venv/ready" 2>/dev/null)" != "${packages[*]}" ]; then
        say "Installing into $venv: ${packages[*]}"
        python3 -m venv "$venv"
        "$venv/bin/pip" install -q --disable-pip-version-check "${packages[@]}"
        printf '%s' "${packages[*]}" >"$venv/ready"
    fi
    if [ "${BENCH_BUILD:-1}" = 1 ]; then
        say "Building llm-bench (release)"
        swift build "${STRICT[@]}" -c release --product llm-bench >&2
    fi
    local bench=.build/release/llm-bench
    BENCH_PIDS=()
    trap bench_stop EXIT
    rm -rf "$folder"; mkdir -p "$folder"
    local provider redis url
    provider=$(bench_port); redis=$(bench_port)
    url=http://127.0.0.1:$provider/api/v1/chat/completions
    bench_provider "$folder" "$provider"
    redis-server --port "$redis" --bind 127.0.0.1 --save "" --appendonly no --dir "$folder" --logfile redis.log &
    BENCH_PIDS+=($!)
    local try
    for try in $(seq 100); do
        curl -s -o /dev/null -X POST -d '{}' "$url" && redis-cli -p "$redis" ping >/dev/null 2>&1 && break
        [ "$try" -lt 100 ] || die "nginx or Redis did not start; see $folder"
        sleep 0.1
    done
    "$bench" --completions "$url" --redis "redis://127.0.0.1:$redis/0" --body >"$folder/body.json"
    say "$seconds s per figure, $(nproc) processors for gateway, Redis and server together; 32 callers at once"
    "$bench" --completions "$url" --redis "redis://127.0.0.1:$redis/0" --seconds "$seconds" --rate 500 --concurrency 32 \
        >"$folder/gateway" 2>"$folder/gateway.log"
    redis-cli -p "$redis" flushall >/dev/null
    "$venv/bin/python3" Tests/Benchmarks/peers/litellm_router.py --completions "$url" --redis-port "$redis" \
        --seconds "$seconds" --concurrency 32 --body "$folder/body.json" >"$folder/router" 2>"$folder/router.log"
    redis-cli -p "$redis" flushall >/dev/null
    bench_proxy "$folder" "$url" "$redis" "$seconds" >"$folder/litellm"
    cat "$folder/gateway" "$folder/router" "$folder/litellm" | awk -v check="${BENCH_CHECK:-0}" '
        /^#/ { print; next }
        { v[$1] = $2 }
        function judge(text, value, goal, good) { printf "%-58s %8.2f (goal: %s)\n", text, value, goal; if (!good) missed = 1 }
        function row(name, key, failed, mb) {
            printf "%-44s %9d %9.1f %9s %9d %9s\n", name, v[key "_per_second"], v[key "_closed_p50_microseconds"] / 1000,
                (key "_closed_p99_microseconds") in v ? sprintf("%.1f", v[key "_closed_p99_microseconds"] / 1000) : "-",
                failed, mb
        }
        END {
            printf "%-44s %9s %9s %9s %9s %9s\n", "32 callers, one call after the other", "per s", "p50 ms", "p99 ms", "failures", "MB"
            row("the HTTP client alone", "direct", v["direct_closed_failed"], "-")
            row("gateway: limits, cache, breaker, budget, log", "gateway", v["gateway_closed_failed"], v["gateway_resident_megabytes"])
            row("the same, with context and prompt made", "capability", v["capability_closed_failed"], v["capability_resident_megabytes"])
            row("LiteLLM, Router in process, with Redis", "router", v["router_failed"], v["router_resident_megabytes"])
            row("LiteLLM, proxy, 2 workers, with Redis", "proxy", v["proxy_failed"], v["proxy_resident_megabytes"])
            printf "\n500 calls per second, us: the client alone p50 %d, p99 %d; gateway p50 %d, p99 %d\n",
                v["direct_p50_microseconds"], v["direct_p99_microseconds"], v["gateway_p50_microseconds"], v["gateway_p99_microseconds"]
            added = (v["gateway_p50_microseconds"] - v["direct_p50_microseconds"]) / 1000
            printf "with context and prompt made: p50 %d, p99 %d\n", v["capability_p50_microseconds"], v["capability_p99_microseconds"]
            judge("  added p50, ms", added, "0.5", added <= 0.5)
            added = (v["gateway_p99_microseconds"] - v["direct_p99_microseconds"]) / 1000
            judge("  added p99, ms", added, "2.5", added <= 2.5)
            best = v["router_per_second"] > v["proxy_per_second"] ? v["router_per_second"] : v["proxy_per_second"]
            ratio = best > 0 ? v["gateway_per_second"] / best : 0
            judge("  times the better of LiteLLM", ratio, "20", ratio >= 20)
            judge("  resident, MB", v["gateway_resident_megabytes"], "80", v["gateway_resident_megabytes"] < 80)
            failures = v["gateway_failed"] + v["gateway_closed_failed"] + v["direct_failed"] + v["direct_closed_failed"]
            judge("  calls that failed", failures, "0", failures == 0)
            if (check && missed) exit 1
        }'
}

# LiteLLM's proxy with one configured model, limits of its key and Redis; asked by wrk.
bench_proxy() {
    local folder=$1 url=$2 redis=$3 seconds=$4
    cat >"$folder/proxy.yaml" <<CONF
model_list:
  - model_name: openai/gpt-4o-mini
    litellm_params: { model: openrouter/openai/gpt-4o-mini, api_base: ${url%/chat/completions}, api_key: sk-bench, rpm: 10000000, tpm: 10000000000 }
  - model_name: second
    litellm_params: { model: openrouter/anthropic/claude-3.5-haiku, api_base: ${url%/chat/completions}, api_key: sk-bench }
router_settings:
  redis_host: 127.0.0.1
  redis_port: $redis
  routing_strategy: usage-based-routing-v2
  enable_pre_call_checks: true
  num_retries: 2
  allowed_fails: 5
  cooldown_time: 60
  fallbacks: [{ "openai/gpt-4o-mini": ["second"] }]
litellm_settings:
  cache: true
  cache_params: { type: redis, host: 127.0.0.1, port: $redis }
  request_timeout: 15
general_settings:
  master_key: sk-bench
CONF
    sed 's/question 0?/question NUMBER?/' "$folder/body.json" >"$folder/ask.json"
    BENCH_URL=http://127.0.0.1:$(bench_port)
    BENCH_TRIES=600 bench_server llm-proxy /health/liveliness env LITELLM_LOG=ERROR LITELLM_MODE=PRODUCTION \
        "$ROOT/.local/bench/llm-venv/bin/litellm" --config "$folder/proxy.yaml" --host 127.0.0.1 \
        --port "${BENCH_URL##*:}" --num_workers 2 >&2
    local row resident
    ask() { wrk -t1 -c32 -d"$1s" --timeout 20s -s Tests/Benchmarks/peers/ask.lua "$BENCH_URL/chat/completions" -- "$folder/ask.json"; }
    ask 2 >/dev/null
    row=$(ask "$seconds" | sed -n 's/^figures //p')
    resident=$(ps -o rss= --ppid "$BENCH_SERVER" --pid "$BENCH_SERVER" | awk '{ sum += $1 } END { printf "%.1f", sum * 1024 / 1e6 }')
    awk -v mb="$resident" '{ print "proxy_per_second", $1; print "proxy_closed_p50_microseconds", $2
        print "proxy_closed_p99_microseconds", $3; print "proxy_failed", $4; print "proxy_resident_megabytes", mb }' <<<"$row"
}
