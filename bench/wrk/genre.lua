-- The first page of one of the more frequent genres.
local genres = {
  "Drama", "Comedy", "Romance", "Action", "Crime", "Thriller", "Horror", "Documentary", "Sci-Fi", "Fantasy",
}

function request()
  return wrk.format("GET", "/api/movies?limit=20&genre=" .. genres[math.random(#genres)])
end
