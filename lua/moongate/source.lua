--- The user's source text as tokens: finds the line of a key that a declaration complains about,
--- and feeds `moongate check`. Reads any text; what is no Lua ends the tokens early (the load
--- itself reports syntax errors).

local M = {}

---@class moongate.Token
---@field kind "name"|"keyword"|"string"|"number"|"op"|"eof"
---@field text string for strings the value

--- The tokens of a text in order. Equal ones are one table, and their lines stand apart: a file of
--- ten thousand routes has half a million tokens.
---@class moongate.Tokens
---@field [integer] moongate.Token
---@field lines integer[]

local KEYWORD = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or
  repeat return then true until while]]):gmatch("%a+") do
  KEYWORD[word] = true
end

--- Operators, longest first.
local OPERATORS = { "...", "..", "==", "~=", "<=", ">=", "::" }

local ESCAPE = { n = "\n", t = "\t", r = "\r", a = "\a", b = "\b", f = "\f", v = "\v", z = "" }

local function count_lines(text, from, to)
  local lines, at = 0, from
  while true do
    at = text:find("\n", at, true)
    if not at or at > to then return lines end
    lines, at = lines + 1, at + 1
  end
end

--- The end of a long bracket that opens at `at`, and the bounds of what is in it, or nil.
local function long_bracket(text, at)
  local _, opened, level = text:find("^%[(=*)%[", at)
  if not opened then return nil end
  local inner_end, closed = text:find("]" .. level .. "]", opened + 1, true)
  if not inner_end then return #text, opened + 1, #text end
  return closed, opened + 1, inner_end - 1
end

--- The end of a quoted string that opens at `at`, or nil when its line ends first.
local function quoted_end(text, at)
  local quote, i = text:sub(at, at), at + 1
  while true do
    i = text:find("[\\\n" .. quote .. "]", i)
    if not i then return nil end
    local c = text:sub(i, i)
    if c == quote then return i end
    if c == "\n" then return nil end
    -- An escaped line end may be two bytes; \z also skips the white space that follows.
    local _, spaces = text:find("^\\z%s*", i)
    i = spaces and spaces + 1 or i + 2
  end
end

local function unquote(raw)
  local inner = raw:sub(2, -2)
  if not inner:find("\\", 1, true) then return inner end
  inner = inner:gsub("\\(%d%d?%d?)", function(d)
    return tonumber(d) < 256 and string.char(tonumber(d)) or nil
  end)
  return (inner:gsub("\\(.)", function(c) return ESCAPE[c] or c end))
end

--- The index after white space and comments.
local function skip_blank(text, at)
  while true do
    at = text:find("%S", at)
    if not at then return #text + 1 end
    if text:sub(at, at + 1) ~= "--" then return at end
    local closed = long_bracket(text, at + 2)
    at = (closed or (text:find("\n", at, true) or #text)) + 1
  end
end

--- One token at `at` (no blank): kind, text, last index. Nil when it is no Lua.
local function read_token(text, at)
  local c = text:sub(at, at)
  if c:find("[%a_\128-\255]") then
    local _, last = text:find("^[%w_\128-\255]+", at)
    local word = text:sub(at, last)
    return KEYWORD[word] and "keyword" or "name", word, last
  end
  if text:find("^%.?%d", at) then
    local _, last = text:find("^0[xX][%x.]*[pP]?[+-]?%w*", at)
    if not last then _, last = text:find("^[%d.]+[eE]?[+-]?%w*", at) end
    -- "1-2" is three tokens: a sign belongs to a number only behind its exponent.
    local number = text:sub(at, last):match("^(0[xX][%x.]*[pP][+-]?%w*)")
      or text:sub(at, last):match("^(0[xX][%w.]*)")
      or text:sub(at, last):match("^([%d.]+[eE][+-]?%w*)") or text:sub(at, last):match("^[%w.]+")
    return "number", number, at + #number - 1
  end
  if c == '"' or c == "'" then
    local last = quoted_end(text, at)
    if not last then return nil end
    return "string", unquote(text:sub(at, last)), last
  end
  local last, from, to = long_bracket(text, at)
  if last then return "string", (text:sub(from, to):gsub("^\r?\n", "")), last end
  for _, op in ipairs(OPERATORS) do
    if text:sub(at, at + #op - 1) == op then return "op", op, at + #op - 1 end
  end
  return "op", c, at
end

--- The one token of a kind and text.
local function shared(known, kind, text)
  local of_kind = known[kind]
  if not of_kind then
    of_kind = {}
    known[kind] = of_kind
  end
  local token = of_kind[text]
  if not token then
    token = { kind = kind, text = text }
    of_kind[text] = token
  end
  return token
end

--- The tokens of a source text, ended by one of kind "eof".
---@param text string
---@return moongate.Tokens
function M.tokens(text)
  -- `constructors` and `calls` are what `find` remembers of them.
  local lines = {}
  local tokens, line, counted = { lines = lines, constructors = {}, calls = nil }, 1, 1
  local known = {}
  local at, n = 1, 0
  if text:sub(1, 1) == "#" then at = text:find("\n", 1, true) or #text + 1 end
  while true do
    at = skip_blank(text, at)
    line, counted = line + count_lines(text, counted, at - 1), at
    local kind, value, last
    if at <= #text then kind, value, last = read_token(text, at) end
    if not kind then break end
    n = n + 1
    tokens[n], lines[n] = shared(known, kind, value), line
    at = last + 1
  end
  tokens[n + 1], lines[n + 1] = { kind = "eof", text = "" }, line
  return tokens
end

-- Finding keys ------------------------------------------------------------------------------------

local OPEN = { ["("] = true, ["{"] = true, ["["] = true }
local CLOSE = { [")"] = true, ["}"] = true, ["]"] = true }
--- Keywords that open what `end` or `until` closes. The `do` of `for` and `while` is theirs.
local BLOCK = { ["function"] = true, ["if"] = true, ["do"] = true, ["repeat"] = true }

local function is_op(token, text)
  return token.kind == "op" and token.text == text
end

--- The index of the token that ends the expression at i: a comma, semicolon or closing bracket.
---@param tokens moongate.Tokens
---@param i integer
---@return integer
function M.skip_expression(tokens, i)
  local depth = 0
  while tokens[i].kind ~= "eof" do
    local token = tokens[i]
    if token.kind == "op" then
      if depth == 0 and (CLOSE[token.text] or token.text == "," or token.text == ";") then
        return i
      end
      if OPEN[token.text] then depth = depth + 1 elseif CLOSE[token.text] then depth = depth - 1 end
    elseif token.kind == "keyword" then
      if BLOCK[token.text] then depth = depth + 1 end
      if token.text == "end" or token.text == "until" then depth = depth - 1 end
    end
    i = i + 1
  end
  return i
end

--- The key of the table field at j: its key (nil when it is computed), the index of its value, and
--- whether it has a key at all.
local function field_at(tokens, j)
  local token, after = tokens[j], tokens[j + 1]
  if token.kind == "name" and is_op(after, "=") then return token.text, j + 2, true end
  if not is_op(token, "[") then return nil, j, false end
  local closing = M.skip_expression(tokens, j + 1)
  local key = nil
  if closing == j + 2 then
    key = after.kind == "string" and after.text or tonumber(after.text)
  end
  return key, closing + 2, true
end

---@class moongate.Field
---@field line integer of the key
---@field value integer index of the value's first token

--- The fields that the table constructor at `open` shows, by key. Of equal keys the last one
--- counts, as in Lua. Each constructor is read once: a list of thousands of routes is asked for
--- every one.
---@return table<any, moongate.Field>
local function fields_of(tokens, open)
  local known = tokens.constructors[open]
  if known then return known end
  local fields, j, position = {}, open + 1, 0
  while tokens[j] and tokens[j].kind ~= "eof" and not is_op(tokens[j], "}") do
    local key, start, keyed = field_at(tokens, j)
    if not tokens[start] then break end
    if not keyed then
      position = position + 1
      key = position
    end
    if key ~= nil then fields[key] = { line = tokens.lines[j], value = start } end
    j = M.skip_expression(tokens, start)
    if is_op(tokens[j], ",") or is_op(tokens[j], ";") then
      j = j + 1
    elseif not is_op(tokens[j], "}") then
      break
    end
  end
  tokens.constructors[open] = fields
  return fields
end

--- The constructor that gave a variable its value: the last `name = {` before token `before`.
local function constructor_of(tokens, name, before)
  for i = before - 1, 1, -1 do
    local token = tokens[i]
    if token.kind == "name" and token.text == name and is_op(tokens[i + 1], "=")
      and is_op(tokens[i + 2], "{") and not (i > 1 and is_op(tokens[i - 1], ".")) then
      return i + 2
    end
  end
end

--- The index of the "{" of the value at i, seen through a plain variable, or nil.
local function table_at(tokens, i)
  local token = tokens[i]
  if is_op(token, "{") then return i end
  if token.kind == "name" and M.skip_expression(tokens, i) == i + 1 then
    return constructor_of(tokens, token.text, i)
  end
end

--- The index of the n-th argument of the call whose argument list opens at `open`.
local function argument(tokens, open, n)
  if not is_op(tokens[open], "(") then return n == 1 and open or nil end
  local i = open + 1
  for _ = 2, n do
    i = M.skip_expression(tokens, i)
    if not is_op(tokens[i], ",") then return nil end
    i = i + 1
  end
  return not is_op(tokens[i], ")") and i or nil
end

--- The line of the last key of the path in the call that opens at `open`, or nil.
local function line_in_call(tokens, open, path)
  local value = argument(tokens, open, path[1])
  if not value then return nil end
  local line = tokens.lines[value]
  for k = 2, #path do
    local constructor = table_at(tokens, value)
    local field = constructor and fields_of(tokens, constructor)[path[k]]
    if not field then return nil end
    line, value = field.line, field.value
  end
  return line
end

--- The indices where argument lists of calls open, by line.
---@return table<integer, integer[]>
local function calls_by_line(tokens)
  local calls = tokens.calls
  if calls then return calls end
  calls = {}
  for i = 2, #tokens do
    local token = tokens[i]
    local opens = is_op(token, "(") or is_op(token, "{") or token.kind == "string"
    if opens and tokens[i - 1].kind == "name" then
      local line = tokens.lines[i]
      calls[line] = calls[line] or {}
      table.insert(calls[line], i)
    end
  end
  tokens.calls = calls
  return calls
end

--- The calls on a line: those of the wanted name first.
local function calls_on(tokens, line, callee)
  local wanted, others = {}, {}
  for _, i in ipairs(calls_by_line(tokens)[line] or {}) do
    local list = tokens[i - 1].text == callee and wanted or others
    list[#list + 1] = i
  end
  for _, i in ipairs(others) do wanted[#wanted + 1] = i end
  return wanted
end

--- All calls of a name, the last one first: a call without a line is a tail call, and that is the
--- last of its chunk.
local function calls_named(tokens, callee)
  local found = {}
  for i = #tokens, 2, -1 do
    local token, before = tokens[i], tokens[i - 1]
    local opens = is_op(token, "(") or is_op(token, "{") or token.kind == "string"
    if opens and before.kind == "name" and before.text == callee then found[#found + 1] = i end
  end
  return found
end

--- The line of a key in a declaration, or nil when the text does not show it (a table built in
--- code).
---@param tokens moongate.Tokens
---@param line integer the line of the call; 0 when unknown
---@param callee string the last name of the called function, "route" of `gate.route`
---@param path any[] index of the argument, then the keys
---@return integer|nil
function M.find(tokens, line, callee, path)
  local calls = line == 0 and calls_named(tokens, callee) or calls_on(tokens, line, callee)
  for _, open in ipairs(calls) do
    local found = line_in_call(tokens, open, path)
    if found then return found end
  end
end

return M
