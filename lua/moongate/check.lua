--- Reads the source of a gateway file or module for what a load cannot see: misspelt fields of
--- `gate` (the local that holds `require "moongate"`) and of the objects that hooks are given. It
--- reports only what it is sure of; a name that it cannot trace is left alone.

local fields = require "moongate.declare.fields"
local mistake = require "moongate.declare.mistake"
local nearest = require "moongate.nearest"
local source = require "moongate.source"
local strict = require "moongate.declare.strict"

local M = {}

---@class moongate.Kind
---@field path string what messages call it: "req.client"
---@field fields table<string, any>

---@class moongate.Checker
---@field tokens moongate.Tokens
---@field file string
---@field scopes table<string, moongate.Kind|false>[] what each local is, innermost scope last
---@field brackets string[] open brackets and blocks, innermost last
---@field opened integer[] where each of them was opened
---@field gate table|nil the loaded `gate`, which has only what this build has
---@field handed table<string, string> hooks that named functions are given to
---@field found moongate.Mistake[]
local Checker = {}
Checker.__index = Checker

---@param i integer
---@param text string
---@return boolean
function Checker:is(i, text)
  local token = self.tokens[i]
  return token ~= nil and token.text == text and token.kind ~= "string"
end

---@param i integer
---@return string|nil the name at i
function Checker:name(i)
  local token = self.tokens[i]
  return token and token.kind == "name" and token.text or nil
end

-- Scopes ------------------------------------------------------------------------------------------

--- Opens a block or bracket.
function Checker:push(kind, i)
  self.brackets[#self.brackets + 1] = kind
  self.opened[#self.brackets] = i
  if kind ~= "(" and kind ~= "{" and kind ~= "[" then self.scopes[#self.scopes + 1] = {} end
end

--- Closes the innermost block or bracket.
function Checker:pop()
  local kind = table.remove(self.brackets)
  if kind and kind ~= "(" and kind ~= "{" and kind ~= "[" and #self.scopes > 1 then
    table.remove(self.scopes)
  end
end

--- Declares a local: what it is (a kind or its name), or false for one that nothing is known of.
function Checker:bind(name, kind)
  if type(kind) == "string" then kind = { path = kind, fields = fields.KINDS[kind] } end
  self.scopes[#self.scopes][name] = kind or false
end

--- What a variable holds, or nil.
---@return moongate.Kind|nil
function Checker:kind_of(name)
  for i = #self.scopes, 1, -1 do
    local kind = self.scopes[i][name]
    if kind ~= nil then return kind or nil end
  end
end

--- A variable that is assigned to may hold anything afterwards.
function Checker:forget(name)
  for i = #self.scopes, 1, -1 do
    if self.scopes[i][name] ~= nil then
      self.scopes[i][name] = false
      return
    end
  end
end

-- Reports -----------------------------------------------------------------------------------------

--- Reports a mistake at the line of token i.
function Checker:report(i, parts)
  self.found[#self.found + 1] =
    mistake.new({ file = self.file, line = self.tokens.lines[i] }, parts)
end

--- A field that its table does not have.
function Checker:report_unknown(i, path, known)
  local key = self.tokens[i].text
  local near = nearest.find(key, known)
  self:report(i, {
    name = key, expected = "a field of " .. path, nearest = near,
    message = ("%s has no '%s'%s"):format(path, key, mistake.hint(near)),
  })
end

--- The first token of a call's arguments at i?
function Checker:is_call(i)
  local token = self.tokens[i]
  return token and token.kind == "string" or self:is(i, "(") or self:is(i, "{")
end

--- One step of a chain: the token of the key, and whether it is written with a colon. Nil at its
--- end.
function Checker:step(i)
  local key = self.tokens[i + 1]
  if self:is(i, ".") or self:is(i, ":") then return i + 1, self:is(i, ":"), i + 2 end
  if self:is(i, "[") and key.kind == "string" and self:is(i + 2, "]") then
    return i + 1, false, i + 3
  end
end

--- What is wrong with the key at `at`, whose table is at `path`: reports it and answers true.
function Checker:report_key(at, path, known, colon, called)
  local key = self.tokens[at].text
  local field = known[key]
  if known.any then
    if not colon or not known.methods or known.methods[key] then return false end
    self:report_unknown(at, path, known.methods)
  elseif field == nil then
    self:report_unknown(at, path, known)
  elseif path == "gate" and self.gate and not strict.has(self.gate, key) then
    self:report(at, strict.missing("gate", key, known))
  elseif field == "method" and called and not colon then
    self:report(at, {
      name = key, expected = path .. ":" .. key,
      message = ("%s.%s is called with a colon: %s:%s(...)"):format(path, key, path, key),
    })
  elseif colon and field ~= "method" then
    local what = path:find("^gate") and "called with a dot, not with a colon" or "no method"
    self:report(at, {
      name = key, expected = path .. "." .. key,
      message = ("%s.%s is %s"):format(path, key, what),
    })
  else
    return false
  end
  return true
end

--- Checks the fields behind a variable of a known kind at i: `req.headers`, `gate.log.info`.
---@param i integer
---@param kind moongate.Kind
function Checker:check_chain(i, kind)
  local path, known = kind.path, kind.fields
  local at, colon, after = self:step(i + 1)
  while at do
    local called = self:is_call(after)
    if self:report_key(at, path, known, colon, called) then return end
    local key = self.tokens[at].text
    local field = known[key]
    if known.any or type(field) ~= "table" or called then return end
    path, known = path .. "." .. key, field
    at, colon, after = self:step(after)
  end
end

--- What the expression at i gives when it is a variable of a known kind and fields of it alone:
--- `req`, `gate.crypto`. Nil for any other.
---@param i integer
---@return moongate.Kind|nil
function Checker:kind_at(i)
  local kind = self:kind_of(self:name(i) or "")
  local at, colon, after = self:step(i + 1)
  i = i + 1
  while kind and at do
    local field = kind.fields[self.tokens[at].text]
    kind = type(field) == "table" and not colon
      and { path = kind.path .. "." .. self.tokens[at].text, fields = field } or nil
    i = after
    at, colon, after = self:step(i)
  end
  local behind = self.tokens[i]
  local ends = not behind or behind.kind == "eof" or behind.kind == "name" or self:is(i, ";")
    or (behind.kind == "keyword" and behind.text ~= "and" and behind.text ~= "or")
  return ends and kind or nil
end

-- Functions ---------------------------------------------------------------------------------------

--- The hook in `gate.on.<hook>` whose hook name is the token at i, or nil.
function Checker:hook_of_on(i)
  local hook = self:name(i)
  if hook and fields.PARAMETERS[hook] and self:is(i - 1, ".") and self:is(i - 2, "on")
    and self:is(i - 3, ".") and (self:kind_of(self:name(i - 4) or "") or {}).path == "gate" then
    return hook
  end
end

--- Whether the "{" at i opens what `gate.route` or `gate.use` is given.
function Checker:is_declared(i)
  local callee = self:is(i - 1, "(") and i - 2 or i - 1
  if not (self:is(callee, "route") or self:is(callee, "use")) then return false end
  local kind = self:is(callee - 1, ".") and self:kind_of(self:name(callee - 2) or "")
  return kind and kind.path == "gate" or false
end

--- Whether the innermost open bracket is the table of a route or policy: `gate.route {`,
--- `gate.use({`, `gate.route { use = { {`.
function Checker:in_declaration()
  local n, opened = #self.brackets, self.opened
  if self.brackets[n] ~= "{" then return false end
  if self:is_declared(opened[n]) then return true end
  local list = self.brackets[n - 1] == "{" and opened[n - 1]
  return list and self:is(list - 1, "=") and self:is(list - 2, "use")
    and self.brackets[n - 2] == "{" and self:is_declared(opened[n - 2]) or false
end

--- The hook that the function at i (its keyword) is written for, and whether that is certain.
function Checker:hook_of(i)
  if self:is(i - 1, "(") then
    return self:hook_of_on(i - 2), true
  end
  local named = nil
  if self:is(i - 1, "=") then
    -- `request = function`, `M.request = function`, `local check = function`
    named = self:name(i - 2)
    if fields.PARAMETERS[named] and self:in_declaration() then return named, true end
  elseif self:name(i + 1) then
    -- `function M.request(`, `local function check(`
    local last = i + 1
    while self:is(last + 1, ".") do last = last + 2 end
    named = self:name(last)
  end
  if not named then return nil end
  if self.handed[named] then return self.handed[named], false end
  return fields.PARAMETERS[named] and named, false
end

--- Enters the function whose keyword is at i: a scope with its parameters. Returns the index of the
--- token behind the parameter list.
function Checker:enter_function(i)
  local hook, certain = self:hook_of(i)
  local kinds = hook and fields.PARAMETERS[hook] or {}
  self:push("function", i)
  while not self:is(i, "(") and self.tokens[i].kind ~= "eof" do i = i + 1 end
  local n = 0
  while not self:is(i, ")") and self.tokens[i].kind ~= "eof" do
    local name = self:name(i)
    if name then
      n = n + 1
      -- A function that only looks like a hook is one if its parameter is named so, too.
      self:bind(name, (certain or name == kinds[n]) and kinds[n])
    end
    i = i + 1
  end
  return i + 1
end

--- Functions that are handed over by name: `gate.on.request(check)`, `{ request = check }`.
function Checker:find_handed()
  for i = 1, #self.tokens do
    local name = self:name(i)
    local hook = name and self:is(i - 1, "=") and self:name(i - 2)
    if name and self:is(i - 1, "(") and self:is(i + 1, ")") and self:is(i - 3, ".")
      and self:is(i - 4, "on") then
      hook = self:name(i - 2)
    end
    if hook and fields.PARAMETERS[hook] and not self:is(i + 1, "(") then
      self.handed[name] = hook
    end
  end
end

-- Statements --------------------------------------------------------------------------------------

--- `require "moongate"` or `require("moongate")` at i?
function Checker:requires_gate(i)
  if not self:is(i, "require") then return false end
  if self:is(i + 1, "(") then i = i + 1 end
  local argument = self.tokens[i + 1]
  local behind = argument.kind == "string" and self.tokens[i + 2]
  if not behind or argument.text ~= "moongate" then return false end
  if self:is(i + 2, ")") then i = i + 1 end
  -- `require "moongate".log` is something else.
  return not self:step(i + 2)
end

--- `local a, b = …`: declares the names, and returns the index to go on at.
function Checker:enter_local(i)
  if self:is(i + 1, "function") then
    self:bind(self:name(i + 2) or "", nil)
    return i + 1
  end
  local first = self:name(i + 1)
  local names = {}
  while self:name(i + 1) do
    names[#names + 1] = self:name(i + 1)
    i = self:is(i + 2, ",") and i + 2 or i + 1
  end
  local kind = nil
  if #names == 1 and self:is(i + 1, "=") then
    -- `local req = req.client` names another thing than the value's own `req`.
    local other = self:name(i + 2) ~= first
    kind = self:requires_gate(i + 2) and "gate" or (other and self:kind_at(i + 2))
  end
  for _, name in ipairs(names) do self:bind(name, nil) end
  if kind then self:bind(first, kind) end
  return i + 1
end

--- `for a, b in … do`: the names belong to the block that the `do` opens. Returns the index of what
--- follows the names.
function Checker:enter_for(i)
  self:push("for", i)
  while self:name(i + 1) do
    self:bind(self:name(i + 1), nil)
    i = self:is(i + 2, ",") and i + 2 or i + 1
  end
  return i + 1
end

local CLOSING = { [")"] = true, ["}"] = true, ["]"] = true }

--- Follows blocks and brackets through one keyword or operator. Returns the next index.
function Checker:structure(i)
  local text = self.tokens[i].text
  if text == "function" then return self:enter_function(i) end
  if text == "local" then return self:enter_local(i) end
  if text == "for" then return self:enter_for(i) end
  if text == "(" or text == "{" or text == "[" or text == "then" or text == "repeat" then
    self:push(text, i)
  elseif text == "do" then
    -- The block of a `for` is open since its names; a `while` has none before its `do`.
    if self.brackets[#self.brackets] == "for" then
      self.brackets[#self.brackets] = "do"
    else
      self:push("do", i)
    end
  elseif text == "end" or text == "elseif" or CLOSING[text] then
    self:pop()
  elseif text == "else" then
    self:pop()
    self:push("else", i)
  elseif text == "until" then
    -- Locals of the block are still seen in the condition: they stay until the next block ends.
    local inner = table.remove(self.scopes)
    for name, kind in pairs(inner) do self:bind(name, kind) end
    table.remove(self.brackets)
  end
  return i + 1
end

--- What a statement may stand behind, besides names, literals and closing brackets.
local BEFORE_STATEMENT = {
  [";"] = true, ["do"] = true, ["then"] = true, ["else"] = true, ["end"] = true, ["repeat"] = true,
}

--- Whether the variable at i is assigned to: `req = …`, or first in `req, x = …`.
function Checker:is_target(i)
  if self:is(i + 1, "=") then return true end
  local before, inside = self.tokens[i - 1], self.brackets[#self.brackets]
  if not self:is(i + 1, ",") or inside == "{" or inside == "(" or not before then return false end
  return before.kind == "name" or before.kind == "string" or before.kind == "number"
    or CLOSING[before.text] or BEFORE_STATEMENT[before.text] or false
end

--- A name that is neither a field nor a key: a variable. Returns the next index.
function Checker:variable(i)
  local name = self.tokens[i].text
  local before = self.tokens[i - 1]
  local is_field = before and before.kind == "op" and (before.text == "." or before.text == ":")
  local in_table = self.brackets[#self.brackets] == "{"
  if is_field or (in_table and self:is(i + 1, "=")) then return i + 1 end
  local kind = self:kind_of(name)
  if kind and self:is_target(i) then
    self:forget(name)
  elseif kind then
    self:check_chain(i, kind)
  end
  return i + 1
end

--- Walks through all tokens once.
function Checker:run()
  self:find_handed()
  local i = 1
  while self.tokens[i] and self.tokens[i].kind ~= "eof" do
    local kind = self.tokens[i].kind
    if kind == "name" then
      i = self:variable(i)
    elseif kind == "keyword" or kind == "op" then
      i = self:structure(i)
    else
      i = i + 1
    end
  end
end

--- Reads a source text and reports the misspelt fields that it can see. The text is Lua that
--- compiles; nothing of it runs. Legal at load and later.
--- Example: `check.check(text, "gateway.lua")[1]` prints as `gateway.lua:7: req has no 'heders';
--- did you mean 'headers'?`.
---@param text string
---@param file string
---@param gate? table the loaded `gate`: what it lacks of the language is reported, too
---@return moongate.Mistake[]
function M.check(text, file, gate)
  local checker = setmetatable({
    tokens = source.tokens(text), file = file, scopes = { {} }, brackets = {}, opened = {},
    handed = {}, found = {}, gate = gate,
  }, Checker)
  checker:run()
  return mistake.sort(checker.found)
end

return M
