-- POSTs a new movie, with the body of a real one: wrk … -s create.lua -- MOVIES.tsv TOKEN RUN
local bodies, headers, prefix, number = {}, {}, "", 0

function init(arguments)
  for line in io.lines(arguments[1]) do
    bodies[#bodies + 1] = line:match("\t(.*)$")
  end
  headers = { ["Authorization"] = "Bearer " .. arguments[2], ["Content-Type"] = "application/json" }
  prefix = '{"name":"' .. arguments[3] .. " " .. tostring(bodies):match("0x(%x+)") .. " "
end

function request()
  number = number + 1
  local body = bodies[number % #bodies + 1]:gsub('^{"name":"', function() return prefix .. number .. " " end)
  return wrk.format("POST", "/api/movies", headers, body)
end
