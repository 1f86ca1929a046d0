# A few commands at once, each in a session of its own, so that all it started can be found and ended; sourced.
declare -A lane_name=() lane_number=() lane_since=()
lane_deadline=1200  # seconds for one command

# lanes_begin COUNT FUNCTION: FUNCTION gets name, status, seconds and log of each that ended; it fails for a failed one.
lanes_begin() {
    local number
    lanes_report=$2 lanes_logs=$(mktemp -d) lanes_free=() failed=()
    for ((number = $1; number >= 1; number--)); do lanes_free+=("$number"); done
}

# lane NAME COMMAND...: runs the command once a lane is free, with the lane's number for @lane@. Its output goes to a log.
lane() {
    local name=$1 number; shift
    while [ ${#lanes_free[@]} -eq 0 ]; do lane_reap; done
    number=${lanes_free[-1]}; unset 'lanes_free[-1]'
    setsid timeout -k 10 "$lane_deadline" "${@//@lane@/$number}" >"$lanes_logs/$number" 2>&1 </dev/null &
    lane_name[$!]=$name lane_number[$!]=$number lane_since[$!]=$SECONDS
}

# Waits until one has ended, and reports it.
lane_reap() {
    local pid='' status=0
    wait -n -p pid "${!lane_name[@]}" || status=$?
    local name=${lane_name[$pid]} number=${lane_number[$pid]} took=$((SECONDS - ${lane_since[$pid]}))
    unset "lane_name[$pid]"
    end_session "$pid"
    "$lanes_report" "$name" "$status" "$took" "$lanes_logs/$number" || failed+=("$name")
    lanes_free+=("$number")
}

lanes_wait() { while [ ${#lane_name[@]} -gt 0 ]; do lane_reap; done; }

# Ends what still runs; for the exit, whatever its cause.
lanes_end() {
    local pid
    for pid in "${!lane_name[@]}"; do end_session "$pid"; wait "$pid" 2>/dev/null || true; done
    [ -z "${lanes_logs:-}" ] || rm -rf "$lanes_logs"
}

# end_session ID: kills all processes of a session.
end_session() {
    local pids
    pids=$({ cat /proc/[0-9]*/stat 2>/dev/null || true; } | awk -v session="$1" '
        { rest = $0; sub(/.*\) /, "", rest); split(rest, field, " "); if (field[4] == session) print $1 }')
    [ -z "$pids" ] || kill -KILL $pids 2>/dev/null || true
}

is_alive() { [ -d "/proc/$1" ] && ! grep -qs '^State:.Z' "/proc/$1/status"; }

# Removes what test processes that are gone left in .local/tests, and what this one did: the names of the folders end
# with the number of their process.
sweep_tests() {
    local folder pid owner servers
    for folder in "$ROOT"/.local/tests/*-[0-9]*; do
        owner=${folder##*-}
        [ -d "$folder" ] || continue
        [ "$owner" = $$ ] || ! is_alive "$owner" || continue
        for pid in $(cat "$folder/pids" 2>/dev/null); do
            [[ $(readlink "/proc/$pid/exe") != "$ROOT"/.build/* ]] || kill -KILL "$pid" 2>/dev/null || true
        done
        for servers in "$folder" "$folder/infra"; do
            [ ! -f "$servers/settings" ] || scripts/infra down --dir "$servers" >/dev/null 2>&1 || true
        done
        rm -rf "$folder"
    done
}
