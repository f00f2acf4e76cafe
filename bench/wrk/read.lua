-- GET of a random movie: wrk … -s read.lua -- MOVIES.tsv
local paths = {}

function init(arguments)
  math.randomseed(os.time())
  for line in io.lines(arguments[1]) do
    paths[#paths + 1] = "/api/movies/" .. line:match("^(%x+)")
  end
end

function request()
  return wrk.format("GET", paths[math.random(#paths)])
end
