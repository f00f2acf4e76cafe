-- GETs the first page of one of a hundred years, so that callers have less in common.
local requests = {}

function init()
  math.randomseed(os.time())
  for year = 1925, 2024 do
    requests[#requests + 1] = wrk.format("GET", "/api/movies?limit=20&year=" .. year)
  end
end

function request()
  return requests[math.random(#requests)]
end
