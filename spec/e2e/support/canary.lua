-- What specs of canaries share: a gateway that says which version answered, orders, verdicts.
local json = require "moongate.json"
local t = require "e2e.support"

local M = {}

--- A gateway file whose requests say which version answered.
function M.text(word, more)
  return ([[
    gate.listen { "127.0.0.1:0" }
    gate.route { name = "word", path = "/word", reply = { 200, "%s" } }
    gate.route { name = "slow", path = "/slow", handler = function(req)
      local ok = gate.sleep(tonumber(req.args.s or 30))
      return gate.reply(200, "%s " .. tostring(ok) .. " " .. tostring(gate.exiting()))
    end }
    gate.process { drain = 25 }
    %s
  ]]):format(word, word, more or "")
end

function M.start(source, options)
  options = options or {}
  options.args = options.args or { "--workers", "1" }
  table.insert(options.args, "--test-clock")
  return t.gateway(source, options)
end

function M.command(g, ...)
  return { "reload", "--socket", g.socket, ... }
end

--- Writes the file and begins a canary; its generation.
function M.try(g, source, ...)
  if source then g:rewrite(source) end
  local out = t.run(M.command(g, "--detach", ...))
  if out.status ~= 0 then error(out.stderr, 2) end
  return tonumber(out.stdout:match "^generation (%d+) gets ")
end

--- The same in the background, as somebody who waits for the verdict.
function M.try_and_wait(g, source, ...)
  g:rewrite(source)
  local argv = { t.binary }
  for _, word in ipairs(M.command(g, ...)) do argv[#argv + 1] = word end
  local dir = t.folder()
  local p = t.process.start(argv, { stdout = dir .. "/out", stderr = dir .. "/err" })
  t.wait_for("the canary", function() return t.read(dir .. "/out"):find " gets " end)
  return function()
    local status, why = p:wait(t.patience)
    return { status = status, why = why, stdout = t.read(dir .. "/out"),
      stderr = t.read(dir .. "/err") }
  end, p
end

function M.tell(g)
  return json.decode(g:control("/canary").body).canary
end

function M.verdict(g)
  return t.wait_for("the verdict", function()
    local c = M.tell(g)
    return c.over and c
  end)
end

--- n requests on one connection that is kept; what answered how often.
function M.ask(g, n, path, c)
  local by_body, request = {}, t.client.request_text(path or "/word")
  c = c or g:connect()
  while n > 0 do
    local some = math.min(n, 50)
    c:send(request:rep(some))
    for _ = 1, some do
      local res = assert(c:receive_response())
      local key = res.status < 400 and res.body or res.status
      by_body[key] = (by_body[key] or 0) + 1
    end
    n = n - some
  end
  return by_body
end

--- Nothing but this version answers.
function M.answers(g, word)
  for _ = 1, 40 do
    local body = g:get("/word").body
    if body ~= word then error(("%s answers, not %s"):format(body, word), 2) end
  end
end

--- The log says so, sooner or later.
function M.logs(g, what)
  t.wait_for("the line: " .. what, function() return g:stderr():find(what, 1, true) end)
end

function M.reload(g)
  return t.run(M.command(g))
end

function M.alone(g)
  t.wait_for("old generations to end", function() return g:status "live_generations" == "1" end)
end

return M
