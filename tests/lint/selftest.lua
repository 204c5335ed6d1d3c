-- Each lint can fail: it finds in fixtures/<lint>/bad exactly what fixtures/<lint>/expected says,
-- and nothing in fixtures/<lint>/good.
local here = arg[0]:gsub("/?[^/]*$", "")
if here == "" then here = "." end
local failed = false

local function say(text, ...)
  failed = true
  print(text:format(...))
end

local function run(lint, tree)
  local output = io.popen(("luajit %s/%s.lua %s/fixtures/%s/%s 2>&1; echo exit $?")
    :format(here, lint, here, lint, tree))
  local text = output:read("*a")
  output:close()
  return text:match("^(.*)exit (%d+)\n$")
end

local function check(lint)
  local file = io.open(("%s/fixtures/%s/expected"):format(here, lint))
  if not file then
    say("tests/lint/%s.lua:1: no fixtures/%s/expected proves that it can fail", lint, lint)
    return
  end
  local expected = file:read("*a")
  file:close()
  local text, code = run(lint, "bad")
  if text ~= expected or code ~= "1" then
    say("tests/lint/%s.lua:1: exit %s; expected:\n%sgot:\n%s", lint, code, expected, text)
  end
  text, code = run(lint, "good")
  if code ~= "0" then
    say("tests/lint/%s.lua:1: finds fault with fixtures/%s/good:\n%s", lint, lint, text)
  end
end

local list = io.popen("ls " .. here .. "/*.lua")
for path in list:lines() do
  local lint = path:match("([%w_]+)%.lua$")
  if lint ~= "selftest" then check(lint) end
end
list:close()
os.exit(failed and 1 or 0)
