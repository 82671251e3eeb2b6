-- What wrk sends besides a plain GET, and percentiles beyond the 99 that it prints: wrk ... -s load.lua URL -- [KIND]
local route_count = 10000

-- A fixed permutation of the routes, so that neighbours in time are not neighbours in a table.
local function spread(make)
  local requests, next_one = {}, 0
  for i = 1, route_count do requests[i] = make((i * 7919) % route_count) end
  request = function()
    next_one = next_one % route_count + 1
    return requests[next_one]
  end
end

local kinds = {
  upload = function()
    wrk.method = "POST"
    wrk.body = string.rep("u", 65536)
  end,
  paths = function()
    spread(function(n) return wrk.format(nil, "/service-" .. n .. "/call") end)
  end,
  scrape = function()
    local pages, next_one = {wrk.format(nil, "/stats/prometheus"), wrk.format(nil, "/stats")}, 0
    request = function()
      next_one = next_one % 2 + 1
      return pages[next_one]
    end
  end,
  hosts = function()
    spread(function(n) return wrk.format(nil, "/call", {Host = "s" .. n .. ".example.com"}) end)
  end,
}

function init(arguments)
  local kind = kinds[arguments[1]]
  if kind then kind() end
end

function done(summary, latency)
  for _, which in ipairs({50, 99, 99.9}) do
    io.write(string.format("percentile %g %d us\n", which, latency:percentile(which)))
  end
end
