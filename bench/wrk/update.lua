-- PUTs a random movie with another actor: wrk … -s update.lua -- CHANGES.tsv TOKEN
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
