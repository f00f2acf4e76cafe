-- GETs the first page of one of the more frequent genres.
local genres = {
  "Drama", "Comedy", "Romance", "Action", "Crime", "Thriller", "Horror", "Documentary", "Sci-Fi", "Fantasy",
}

local requests = {}

function init()
  for number, genre in ipairs(genres) do
    requests[number] = wrk.format("GET", "/api/movies?limit=20&genre=" .. genre)
  end
end

function request()
  return requests[math.random(#requests)]
end
