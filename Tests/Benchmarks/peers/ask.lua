-- wrk asks a proxy in OpenAI's shape, never twice the same. Arguments: a body whose last text ends in NUMBER, a model.
local body, number = "", 0

function init(arguments)
    local file = assert(io.open(arguments[1]))
    body = file:read("*a")
    file:close()
    wrk.method = "POST"
    wrk.headers["content-type"] = "application/json"
    wrk.headers["authorization"] = "Bearer sk-bench"
    math.randomseed(os.time())
    number = math.random(1000000, 9999999) * 1000
end

function request()
    number = number + 1
    return wrk.format(nil, nil, nil, (body:gsub("NUMBER", tostring(number))))
end

function done(summary, latency)
    local failed = summary.errors.status + summary.errors.timeout + summary.errors.read + summary.errors.connect
    io.write(string.format("figures %.1f %.1f %.1f %d\n", (summary.requests - summary.errors.status) * 1e6 / summary.duration,
        latency:percentile(50), latency:percentile(99), failed))
end
