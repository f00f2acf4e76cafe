-- PUT of a random movie, as it is: wrk … -s update.lua -- MOVIES.tsv TOKEN
local movies, headers = {}, {}

function init(arguments)
  math.randomseed(os.time())
  for line in io.lines(arguments[1]) do
    local id, body = line:match("^(%x+)\t(.*)$")
    movies[#movies + 1] = { path = "/api/movies/" .. id, body = body }
  end
  headers = { ["Authorization"] = "Bearer " .. arguments[2], ["Content-Type"] = "application/json" }
end

function request()
  local movie = movies[math.random(#movies)]
  return wrk.format("PUT", movie.path, headers, movie.body)
end
