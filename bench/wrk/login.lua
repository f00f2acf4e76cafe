-- Logins without a pause: wrk … -s login.lua -- EMAIL PASSWORD
local headers, body = { ["Content-Type"] = "application/json" }, ""

function init(arguments)
  body = '{"email":"' .. arguments[1] .. '","password":"' .. arguments[2] .. '"}'
end

function request()
  return wrk.format("POST", "/api/auth/login", headers, body)
end
