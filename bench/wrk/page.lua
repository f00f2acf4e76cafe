-- The first page of the catalogue.
function request()
  return wrk.format("GET", "/api/movies?limit=20")
end
