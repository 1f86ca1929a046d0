import HostStorage

/// The decisions, each one atomic script. All keys share one hash tag, so that a cluster keeps them on one node.
///
/// Numbers are micro-dollars and microseconds: exact in Lua's doubles, but to be written without exponent.
enum Scripts {
    static let prefix = UserKeys.modelPrefix

    /// Prices in the script's arguments are whole micro-dollars, and so is every sum.
    private static let shared = """
        local P = '\(prefix)'
        local a = cjson.decode(ARGV[1])
        local t = redis.call('TIME')
        local now = t[1] * 1000000 + t[2]
        local function int(n) return string.format('%.0f', n) end
        local R, E = P .. 'budget:reservations', P .. 'budget:expiries'
        local window = int(math.floor(t[1] / a.budgetWindow) * a.budgetWindow)
        local function spend(w, amount)
            local key = P .. 'budget:' .. w
            redis.call('INCRBY', key, int(amount))
            redis.call('EXPIRE', key, 2 * a.budgetWindow + a.lifetime)
        end
        local function opened(w) return P .. 'budget:open:' .. w end
        -- Of a reservation that is over; for as long as a process may still settle it.
        local function settled(id) return P .. 'budget:settled:' .. id end
        local function drop(id)
            local entry = redis.call('HGET', R, id)
            redis.call('ZREM', E, id)
            if not entry then return nil end
            local w, amount = string.match(entry, '^(%d+):(%d+):')
            redis.call('HDEL', R, id)
            redis.call('DECRBY', opened(w), amount)
            return w, tonumber(amount)
        end
        -- What is open in this window; reservations past their time were perhaps bought by a dead process.
        local function open()
            for _, id in ipairs(redis.call('ZRANGEBYSCORE', E, '-inf', int(now), 'LIMIT', 0, 1000)) do
                local w, amount = drop(id)
                if w then
                    spend(w, amount)
                    redis.call('SET', settled(id), '', 'EX', a.lifetime)
                end
            end
            return math.max(0, tonumber(redis.call('GET', opened(window)) or '0'))
        end
        -- A reservation that is not there and was not settled was forgotten by a Redis that crashed: its cost counts.
        local function settle(id, cost)
            local w, amount = drop(id)
            if not w and redis.call('EXISTS', settled(id)) == 1 then return end
            if not w then w, amount = int(a.ofWindow), a.ofAmount end
            if cost < 0 then cost = amount end
            if cost > 0 then spend(w, cost) end
            redis.call('SET', settled(id), '', 'EX', a.lifetime)
        end
        local function breaker(m)
            if m == a.mine then return 'closed', 0 end
            local b = redis.call('HMGET', P .. 'circuit_breaker:' .. m, 'state', 'opened_at', 'probe_until')
            if b[1] ~= 'open' then return 'closed', 0 end
            local ready = math.max(tonumber(b[2] or 0) + a.cooldown * 1000000, tonumber(b[3] or 0))
            if ready > now then return 'open', ready - now end
            return 'half_open', 0
        end
        local function seconds(us) return math.max(1, math.ceil(us / 1000000)) end
        -- Candidates of a list, then room in the budget for the dearest of them.
        local function reserve(models, normal)
            local wait = 0
            local function candidates(list)
                local found, dearest, probe = {}, 0, ''
                for i, m in ipairs(list) do
                    local state, left = breaker(m.name)
                    if state == 'closed' or (state == 'half_open' and #found == 0) then
                        if state == 'half_open' then probe = m.name end
                        found[#found + 1] = m.name
                        dearest = math.max(dearest, m.amount)
                    elseif left > 0 then
                        if wait == 0 or left < wait then wait = left end
                    end
                end
                return found, dearest, probe
            end
            local function record(list, amount, probe, routed)
                local expiry = int(now + a.lifetime * 1000000)
                redis.call('HSET', R, a.id, window .. ':' .. int(amount) .. ':' .. expiry)
                redis.call('ZADD', E, expiry, a.id)
                redis.call('INCRBY', opened(window), int(amount))
                for _, key in ipairs({R, E, opened(window)}) do
                    redis.call('EXPIRE', key, 2 * a.budgetWindow + 2 * a.lifetime)
                end
                if probe ~= '' then
                    redis.call('HSET', P .. 'circuit_breaker:' .. probe, 'probe_until', int(now + a.probe * 1000000))
                end
                local answer = {'go', routed, int(amount), window, probe}
                for i, m in ipairs(list) do answer[#answer + 1] = m end
                return answer
            end
            local sum = open() + tonumber(redis.call('GET', P .. 'budget:' .. window) or '0')
            if normal then
                local list, amount, probe = candidates(models)
                if #list == 0 then return {'breaker', seconds(wait)} end
                if sum + amount <= a.budget then return record(list, amount, probe, 0) end
            end
            local list, amount, probe = candidates({a.budgetModel})
            if #list == 0 then return {'breaker', seconds(wait)} end
            if a.hard >= 0 and sum + amount > a.hard then return {'budget'} end
            return record(list, amount, probe, 1)
        end

        """

    /// Limits, cache, breaker and budget before a request.
    static let admit = RedisScript(
        shared + """
            if a.rate then
                local length = a.rateWindow * 1000000
                local function wait(key, limit)
                    redis.call('ZREMRANGEBYSCORE', key, '-inf', int(now - length))
                    if redis.call('ZCARD', key) < limit then return nil end
                    -- When so many have left that there is room for one.
                    local last = redis.call('ZRANGE', key, -limit, -limit, 'WITHSCORES')
                    return seconds(tonumber(last[2]) + length - now)
                end
                local user, global = '\(UserKeys.modelRateLimit)' .. a.user, P .. 'rate_limit:global'
                local left = wait(user, a.userLimit)
                if left then return {'denied', 'user', left} end
                left = wait(global, a.globalLimit)
                if left then return {'denied', 'global', left} end
                for _, key in ipairs({user, global}) do
                    redis.call('ZADD', key, int(now), a.id)
                    redis.call('EXPIRE', key, 2 * a.rateWindow)
                end
            end
            if a.cache ~= '' then
                local value = redis.call('GET', P .. 'cache:data:' .. a.cache)
                if value then return {'cached', value} end
            end
            return reserve(a.models, true)
            """)

    /// Settles the reservation before, if there is one, and makes another, for a further try or a repair turn.
    static let reserve = RedisScript(
        shared + """
            if a.previous ~= '' then settle(a.previous, a.cost) end
            return reserve(a.models, a.normal)
            """)

    /// After a request: what it cost, how the models did, the answer for the cache.
    static let settle = RedisScript(
        shared + """
            if a.id ~= '' then settle(a.id, a.cost) end
            local spent = open() + tonumber(redis.call('GET', P .. 'budget:' .. window) or '0')
            local answer = {int(spent)}
            for _, o in ipairs(a.outcomes) do
                local key = P .. 'circuit_breaker:' .. o.model
                local isOpen = redis.call('HGET', key, 'state') == 'open'
                if o.probe and o.result == 'none' then
                    redis.call('HDEL', key, 'probe_until')
                elseif o.result == 'ok' and (o.probe or not isOpen) then
                    redis.call('DEL', key)
                    isOpen = false
                elseif o.result == 'failed' and (o.probe or not isOpen) then
                    local failures = redis.call('HINCRBY', key, 'failures', 1)
                    if o.probe or failures >= a.threshold then
                        redis.call('HSET', key, 'state', 'open', 'opened_at', int(now), 'probe_until', 0)
                        isOpen = true
                    else
                        redis.call('HSET', key, 'state', 'closed')
                    end
                    redis.call('EXPIRE', key, 2 * a.cooldown + a.probe)
                end
                answer[#answer + 1] = isOpen and 1 or 0
            end
            if a.cache ~= '' then
                local index, data = P .. 'cache:index', P .. 'cache:data:'
                redis.call('SET', data .. a.cache, ARGV[2], 'EX', a.cacheLifetime)
                redis.call('ZADD', index, int(now), a.cache)
                redis.call('EXPIRE', index, 2 * a.cacheLifetime)
                redis.call('ZREMRANGEBYSCORE', index, '-inf', int(now - a.cacheLifetime * 1000000))
                local surplus = redis.call('ZCARD', index) - a.cacheEntries
                if surplus > 0 then
                    for _, old in ipairs(redis.call('ZPOPMIN', index, surplus)) do
                        redis.call('DEL', data .. old)
                    end
                end
            end
            return answer
            """)

    /// What a process spent on its own while Redis was away.
    static let addSpent = RedisScript(
        """
        local key = '\(prefix)budget:' .. ARGV[1]
        redis.call('INCRBY', key, ARGV[2])
        redis.call('EXPIRE', key, ARGV[3])
        return 1
        """)
}
