--- JSON encode and decode beside lua-cjson, where that is installed.
--- Run: LUA_PATH="lua/?.lua;lua/?/init.lua;;" luajit tests/bench/bench_json.lua

local json = require "moongate.json"
local has_cjson, cjson = pcall(require, "cjson")

local small = { id = 12345, name = "moon gate", ok = true, ratio = 0.25 }

local claims = {
  iss = "https://id.example.com/", sub = "user-1138", aud = { "shop", "admin" }, exp = 1700000000,
  scope = "read write", email = "someone@example.com",
  roles = { { id = 1, name = "a" }, { id = 2, name = "b" } },
}

local rows = {}
for i = 1, 200 do
  rows[i] = {
    id = i, title = "row number " .. i, price = i * 1.5, tags = { "x", "y", "zeta" },
    live = i % 2 == 0,
  }
end

local numbers = {}
for i = 1, 2000 do numbers[i] = i * 37 end

local words = {}
for i = 1, 50 do words[i] = ("a line with a \"quote\", a tab\t and \195\169: "):rep(4) .. i end

local cases = {
  { "small", small, 200000 }, { "claims", claims, 100000 }, { "rows", rows, 500 },
  { "numbers", numbers, 1000 }, { "escapes", words, 5000 },
}

--- Best of five runs, in microseconds a call.
local function time(fn, value, times)
  local best = math.huge
  for _ = 1, 5 do
    local start = os.clock()
    for _ = 1, times / 5 do fn(value) end
    best = math.min(best, (os.clock() - start) / (times / 5) * 1e6)
  end
  return best
end

print(("%-10s %-7s %10s %10s %7s"):format("case", "what", "moongate", "cjson", "ratio"))
for _, case in ipairs(cases) do
  local name, value, times = case[1], case[2], case[3]
  local text = json.encode(value)
  for _, what in ipairs { "encode", "decode" } do
    local input = what == "encode" and value or text
    local own = time(json[what], input, times)
    local other = has_cjson and time(cjson[what], input, times)
    print(("%-10s %-7s %8.2fus %8s %7s"):format(name, what, own,
      other and ("%.2fus"):format(other) or "-",
      other and ("%.2f"):format(own / other) or "-"))
  end
end
