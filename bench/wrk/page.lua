-- GETs the first page of the catalogue.
local page

function init()
  page = wrk.format("GET", "/api/movies?limit=20")
end

function request()
  return page
end
