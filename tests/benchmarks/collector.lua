-- Batches of API calls for wrk, each event with an id of its own: KEY, USERS and BATCH come from the
-- environment. What was acknowledged is printed at the end, for whoever runs this.

local users = tonumber(os.getenv("USERS"))
local size = tonumber(os.getenv("BATCH"))
local time = os.date("!%Y-%m-%dT%H:%M:%SZ")
local threads = 0

function setup(thread)
   threads = threads + 1
   thread:set("number", threads)
end

function init()
   told = 0
   run = os.getenv("RUN")
   wrk.method = "POST"
   wrk.headers["Authorization"] = "Bearer " .. os.getenv("KEY")
   wrk.headers["Content-Type"] = "application/cloudevents-batch+json"
end

function request()
   local events = {}
   for n = 1, size do
      told = told + 1
      events[n] = string.format(
         '{"specversion":"1.0","id":"%s-%d-%d","source":"/bench","type":"usage.api_call",'
            .. '"time":"%s","data":{"user_id":"u%d","method":"POST","route":"/v1/renders",'
            .. '"status_code":201,"duration":0.125,"platform":"sketchup","plugin_version":"2.4.0"}}',
         run, number, told, time, told % users)
   end
   return wrk.format(nil, "/events", nil, "[" .. table.concat(events, ",") .. "]")
end

function done(summary, latency)
   local failed = summary.errors.status + summary.errors.read
      + summary.errors.write + summary.errors.timeout + summary.errors.connect
   io.write(string.format(
      "acknowledged=%d failed=%d seconds=%.3f p50=%.1f p99=%.1f\n",
      (summary.requests - summary.errors.status) * size, failed, summary.duration / 1e6,
      latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
