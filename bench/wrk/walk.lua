-- GETs pages from all over a walk, each with its own cursor: wrk … -s walk.lua -- PATHS
local requests = {}

function init(arguments)
  math.randomseed(os.time())
  for path in io.lines(arguments[1]) do
    requests[#requests + 1] = wrk.format("GET", path)
  end
end

function request()
  return requests[math.random(#requests)]
end
