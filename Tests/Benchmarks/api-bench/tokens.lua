-- wrk: GET /v1/preferences, each request with the next user's token; figures on one line, in a form for scripts.
-- Give the file of tokens as argument of the script: wrk ... -s tokens.lua URL -- FILE
local requests, position = {}, 0

function init(arguments)
    for index, token in ipairs(dofile(arguments[1])) do
        requests[index] = wrk.format("GET", "/v1/preferences", { ["Authorization"] = "Bearer " .. token })
    end
    -- Runs that follow each other begin with different users.
    math.randomseed(os.time())
    position = math.random(#requests)
end

function request()
    position = position % #requests + 1
    return requests[position]
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format("figures %.0f %.3f %.3f %d %d\n", summary.requests / summary.duration * 1e6,
        latency:percentile(50) / 1000, latency:percentile(99) / 1000, summary.requests,
        errors.status + errors.connect + errors.read + errors.write + errors.timeout))
end
