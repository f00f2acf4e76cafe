-- Of a hundred requests, 80 read a movie, 15 read a page, 3 change a movie and 2 add one:
-- wrk … -s mixed.lua -- MOVIES.tsv OWNER WRITER RUN
local movies, owner, writer, prefix, number = {}, {}, {}, "", 0

function init(arguments)
  math.randomseed(os.time())
  for line in io.lines(arguments[1]) do
    local id, body = line:match("^(%x+)\t(.*)$")
    movies[#movies + 1] = { path = "/api/movies/" .. id, body = body }
  end
  owner = { ["Authorization"] = "Bearer " .. arguments[2], ["Content-Type"] = "application/json" }
  writer = { ["Authorization"] = "Bearer " .. arguments[3], ["Content-Type"] = "application/json" }
  prefix = '{"name":"' .. arguments[4] .. " mixed " .. tostring(movies):match("0x(%x+)") .. " "
end

function request()
  local movie, dice = movies[math.random(#movies)], math.random(100)
  if dice <= 80 then return wrk.format("GET", movie.path) end
  if dice <= 95 then return wrk.format("GET", "/api/movies?limit=20") end
  if dice <= 98 then return wrk.format("PUT", movie.path, owner, movie.body) end
  number = number + 1
  local body = movie.body:gsub('^{"name":"', function() return prefix .. number .. " " end)
  return wrk.format("POST", "/api/movies", writer, body)
end
