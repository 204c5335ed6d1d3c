-- Finds functions, their length and the depth of their blocks, in C and in Lua.
-- Both give a list of { name, first, last, depth, deepest } with line numbers.
local M = {}

-- Blanks out a match, keeping its line breaks so that line numbers stay true.
local function blank(text)
  return (text:gsub("[^\n]", " "))
end

-- C without comments, literals and preprocessor lines.
local function plain_c(text)
  local out, at = {}, 1
  local function take(pattern)
    local _, last = text:find(pattern, at)
    if not last then return false end
    out[#out + 1] = blank(text:sub(at, last))
    at = last + 1
    return true
  end
  while at <= #text do
    local line_start = at == 1 or text:sub(at - 1, at - 1) == "\n"
    if not (take("^/%*.-%*/") or take("^//[^\n]*") or take("^'\\?[^\n]-'")
      or (line_start and text:find("^[ \t]*#", at) and M.take_directive(take))) then
      if text:sub(at, at) == '"' then
        local last = at + 1
        while last <= #text and text:sub(last, last) ~= '"' do
          last = last + (text:sub(last, last) == "\\" and 2 or 1)
        end
        out[#out + 1] = blank(text:sub(at, last))
        at = last + 1
      else
        out[#out + 1] = text:sub(at, at)
        at = at + 1
      end
    end
  end
  return table.concat(out)
end

-- A directive and the lines that continue it.
function M.take_directive(take)
  while take("^[^\n]*\\\n") do end
  return take("^[^\n]*")
end

-- A brace opens a block unless it stands in parentheses or after an "=": then it is a value.
local function is_block(state)
  return state.parens == 0 and not state.assigned
end

local function open_brace(state, functions)
  state.braces[#state.braces + 1] = is_block(state)
  if state.current and is_block(state) then
    state.current.depth = state.current.depth + 1
    if state.current.depth > state.current.deepest then
      state.current.deepest, state.current.deepest_line = state.current.depth, state.line
    end
  elseif #state.braces == 1 and is_block(state) and state.name then
    state.current = {
      name = state.name, first = state.statement_line or state.line, depth = 0, deepest = 0,
    }
    functions[#functions + 1] = state.current
  end
end

local function close_brace(state)
  local block = table.remove(state.braces)
  if #state.braces == 0 and state.current then
    state.current.last = state.line
    state.current = nil
  elseif state.current and block then
    state.current.depth = state.current.depth - 1
  end
  return block
end

local function end_statement(state)
  state.assigned, state.name, state.statement_line = false, nil, nil
end

local function c_token(state, token, functions)
  if token ~= "}" and token ~= ";" then
    state.statement_line = state.statement_line or state.line
  end
  if token == "{" then
    open_brace(state, functions)
    if state.braces[#state.braces] then end_statement(state) end
  elseif token == "}" then
    if close_brace(state) then end_statement(state) end
  elseif token == "(" then
    if state.parens == 0 and not state.name then state.name = state.word end
    state.parens = state.parens + 1
  elseif token == ")" then
    state.parens = state.parens - 1
  elseif token == "=" and state.parens == 0 then
    state.assigned = true
  elseif token == ";" and state.parens == 0 then
    end_statement(state)
  end
  state.word = token
end

function M.c(text)
  local functions = {}
  local state = { braces = {}, parens = 0, line = 0 }
  for line in (plain_c(text) .. "\n"):gmatch("(.-)\n") do
    state.line = state.line + 1
    local at = 1
    while true do
      local first, last = line:find("[%a_][%w_]*", at)
      local mark = line:find("[^%s%w_]", at)
      if not first and not mark then break end
      if first and (not mark or first < mark) then
        c_token(state, line:sub(first, last), functions)
        at = last + 1
      else
        c_token(state, line:sub(mark, mark), functions)
        at = mark + 1
      end
    end
  end
  return functions
end

-- Lua without comments and strings.
local function plain_lua(text)
  local out, at = {}, 1
  local function take(first, last)
    out[#out + 1] = blank(text:sub(first, last))
    at = last + 1
  end
  while at <= #text do
    local _, last, level = text:find("^%-?%-?%[(=*)%[", at)
    local quote = text:match("^[\"']", at)
    if level and (text:sub(at, at) == "[" or text:sub(at, at + 1) == "--") then
      local _, close = text:find("]" .. level .. "]", last + 1, true)
      take(at, close or #text)
    elseif text:find("^%-%-", at) then
      local _, close = text:find("^[^\n]*", at)
      take(at, close)
    elseif quote then
      local close = at + 1
      while close <= #text and text:sub(close, close) ~= quote do
        close = close + (text:sub(close, close) == "\\" and 2 or 1)
      end
      take(at, close)
    else
      out[#out + 1] = text:sub(at, at)
      at = at + 1
    end
  end
  return table.concat(out)
end

local opens = { ["function"] = true, ["do"] = true, ["if"] = true, ["repeat"] = true }

-- The innermost function gets deeper by each block that is no function itself.
local function lua_open(stack, functions, word, line, name)
  if word == "function" then
    local fn = { name = name, first = line, depth = 0, deepest = 0 }
    functions[#functions + 1] = fn
    stack[#stack + 1] = { fn = fn, is_function = true }
    return
  end
  local fn = #stack > 0 and stack[#stack].fn or nil
  stack[#stack + 1] = { fn = fn }
  if fn then
    fn.depth = fn.depth + 1
    if fn.depth > fn.deepest then fn.deepest, fn.deepest_line = fn.depth, line end
  end
end

local function lua_close(stack, line)
  local top = table.remove(stack)
  if top and top.is_function then
    top.fn.last = line
  elseif top and top.fn then
    top.fn.depth = top.fn.depth - 1
  end
end

function M.lua(text)
  local functions, stack, number = {}, {}, 0
  for line in (plain_lua(text) .. "\n"):gmatch("(.-)\n") do
    number = number + 1
    for before, word, after in line:gmatch("()([%a_][%w_]*)()") do
      -- x.end and x:repeat cannot be written, but x["end"] was blanked already.
      if opens[word] then
        local name = line:match("^%s*([%w_.:]+)", after)
          or line:sub(1, before - 1):match("([%w_.]+)%s*=%s*$") or "function"
        lua_open(stack, functions, word, number, name)
      elseif word == "end" or word == "until" then
        lua_close(stack, number)
      end
    end
  end
  return functions
end

return M
