-- Public functions of lua/moongate carry a "---" comment, and its @param names are the real ones.
package.path = arg[0]:gsub("[^/]*$", "support/?.lua;") .. package.path
local lint = require("lint")

-- Returns name and parameters when the line begins a public function.
local function public_function(line)
  local owner, name, params = line:match("^function ([%w_]+)[.:]([%w_.]+)%s*%((.-)%)")
  if not owner then
    owner, name, params = line:match("^([%w_]+)%.([%w_]+)%s*=%s*function%s*%((.-)%)")
  end
  if owner and not name:find("^_") then return name, params end
end

local function check(path, lines, number, name, params)
  local known = { self = true }
  for param in params:gmatch("[%w_.]+") do known[param] = true end
  local above = number - 1
  if not (lines[above] or ""):find("^%-%-%-") then
    lint.report(path, number, "%s has no ---@param/---@return comment", name)
  end
  while lines[above] and lines[above]:find("^%-%-%-") do
    local param = lines[above]:match("^%-%-%-%s*@param%s+([%w_.]+)")
    if param and not known[param] then
      lint.report(path, above, "%s has no parameter %s", name, param)
    end
    above = above - 1
  end
end

for _, path in ipairs(lint.files({ "lua/moongate" }, { "lua" })) do
  local lines = lint.lines(path)
  for number, line in ipairs(lines) do
    -- A parameter list over several lines ends where its parenthesis does.
    local whole, last = line, number
    if line:find("^function ") then
      while not whole:find("%)") and lines[last + 1] do
        last = last + 1
        whole = whole .. " " .. lines[last]
      end
    end
    local name, params = public_function(whole)
    if name then check(path, lines, number, name, params) end
  end
end

lint.finish()
