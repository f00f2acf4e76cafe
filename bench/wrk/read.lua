-- GETs a random movie: wrk … -s read.lua -- MOVIES.tsv
local requests = {}

function init(arguments)
  math.randomseed(os.time())
  -- Make the requests once, because the load generator takes CPU time from the server.
  for line in io.lines(arguments[1]) do
    requests[#requests + 1] = wrk.format("GET", "/api/movies/" .. line:match("^(%x+)"))
  end
end

function request()
  return requests[math.random(#requests)]
end
