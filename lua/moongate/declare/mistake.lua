--- A mistake in a gateway file or its data: what load and `moongate check` report, one structured
--- value each, printable as `file:line: message` (`file pointer: message` for data).

local M = {}

---@class moongate.Mistake
---@field file string gateway file, module or data file
---@field line integer 0 when the mistake is not in a source text
---@field pointer string|nil JSON pointer into a data file
---@field name string|nil the bad name
---@field expected string|nil what would have been right
---@field nearest string|nil the nearest right name
---@field message string without the position
local Mistake = {}
Mistake.__index = Mistake
M.Mistake = Mistake

function Mistake:__tostring()
  if self.pointer then
    return ("%s %s: %s"):format(self.file, self.pointer, self.message)
  end
  if self.line > 0 then
    return ("%s:%d: %s"):format(self.file, self.line, self.message)
  end
  return ("%s: %s"):format(self.file, self.message)
end

local ESCAPES = { ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

--- A mistake is one line, whatever the values are that it shows.
local function one_line(text)
  return (text:gsub("%c", function(c) return ESCAPES[c] or ("\\%03d"):format(c:byte()) end))
end

--- Makes a mistake of a place and its parts.
---@param place { file: string, line?: integer, pointer?: string }
---@param parts { message: string, name?: string, expected?: string, nearest?: string }
---@return moongate.Mistake
function M.new(place, parts)
  return setmetatable({
    file = place.file, line = place.line or 0, pointer = place.pointer,
    name = parts.name, expected = parts.expected, nearest = parts.nearest,
    message = one_line(parts.message),
  }, Mistake)
end

--- Makes a mistake of an error value that ended a load: Lua's own `file:line: text`, or anything.
---@param err any
---@param file string used when the error names no position
---@return moongate.Mistake
function M.from_error(err, file)
  if getmetatable(err) == Mistake then return err end
  local text = tostring(type(err) == "table" and err.message or err)
  local where, line, message = text:match("^([^\n]-):(%d+): (.*)$")
  if where then
    return M.new({ file = where, line = tonumber(line) }, { message = message })
  end
  return M.new({ file = file }, { message = text })
end

--- "; did you mean 'x'?" or nothing.
---@param nearest string|nil
---@return string
function M.hint(nearest)
  return nearest and ("; did you mean '" .. nearest .. "'?") or ""
end

--- Sorts mistakes by place, so that one file's read from top to bottom, always in the same order.
---@param list moongate.Mistake[]
---@return moongate.Mistake[] list
function M.sort(list)
  table.sort(list, function(a, b)
    if a.file ~= b.file then return a.file < b.file end
    if a.line ~= b.line then return a.line < b.line end
    if a.pointer ~= b.pointer then return (a.pointer or "") < (b.pointer or "") end
    return a.message < b.message
  end)
  return list
end

--- Merges lists of mistakes: sorted, and each only once.
---@param ... moongate.Mistake[]
---@return moongate.Mistake[]
function M.merge(...)
  local all, list, seen = {}, {}, {}
  for _, some in ipairs { ... } do
    for _, made in ipairs(some) do all[#all + 1] = made end
  end
  for _, made in ipairs(M.sort(all)) do
    local text = tostring(made)
    if not seen[text] then
      seen[text] = true
      list[#list + 1] = made
    end
  end
  return list
end

return M
