-- PUTs a random movie, unchanged: wrk … -s update.lua -- MOVIES.tsv TOKEN
local requests = {}

function init(arguments)
  math.randomseed(os.time())
  local headers = { ["Authorization"] = "Bearer " .. arguments[2], ["Content-Type"] = "application/json" }
  for line in io.lines(arguments[1]) do
    local id, body = line:match("^(%x+)\t(.*)$")
    requests[#requests + 1] = wrk.format("PUT", "/api/movies/" .. id, headers, body)
  end
end

function request()
  return requests[math.random(#requests)]
end
