-- Copyright (c) 2026 fleetops contributors
-- GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later
-- For wrk: a pause before each request (argument 1: milliseconds), and at the end one line of JSON on the standard output:
-- asked, answered (complete 200 answers), other (complete answers of another status), the five socket errors, and how many were
-- answered in each tenth of a second (since 1970).

local ffi = require("ffi")
ffi.cdef [[
typedef struct { long seconds; long nanoseconds; } traffic_time;
int clock_gettime(int clock, traffic_time *now);
]]
local now = ffi.new("traffic_time")
local threads = {}

function setup(thread)
    table.insert(threads, thread)
end

function init(arguments)
    pause = tonumber(arguments[1])
    asked, answered, other = -1, 0, 0 -- wrk asks once for a trial
    tenths = {}
end

function delay()
    return pause
end

function request()
    asked = asked + 1
    return wrk.format()
end

function response(status)
    if status ~= 200 then
        other = other + 1
        return
    end
    answered = answered + 1
    ffi.C.clock_gettime(0, now)
    local tenth = string.format("%d.%d", tonumber(now.seconds), math.floor(tonumber(now.nanoseconds) / 1e8))
    tenths[tenth] = (tenths[tenth] or 0) + 1
end

function done(summary)
    local thread, errors, times = threads[1], summary.errors, {}
    for tenth, count in pairs(thread:get("tenths")) do
        table.insert(times, string.format('"%s": %d', tenth, count))
    end
    io.write(string.format(
        '{"asked": %d, "answered": %d, "other": %d, "errors": {"connect": %d, "read": %d, "write": %d, "status": %d, "timeout": %d}, "tenths": {%s}}\n',
        thread:get("asked"), thread:get("answered"), thread:get("other"),
        errors.connect, errors.read, errors.write, errors.status, errors.timeout, table.concat(times, ", ")))
end
