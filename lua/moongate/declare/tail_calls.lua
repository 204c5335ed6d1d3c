--- The tail calls of a function, `return f(x)`: they leave no frame on the stack, so that what goes
--- wrong in one has no line. Read from the function's bytecode.

local util = require "jit.util"

local M = {}

local band = bit.band

--- The operation of an instruction.
local function operation(fn, pc)
  local instruction = util.funcbc(fn, pc)
  return instruction and band(instruction, 0xff)
end

--- The last operation of a function.
local function last_operation(fn)
  local pc = 1
  while operation(fn, pc + 1) do pc = pc + 1 end
  return operation(fn, pc)
end

--- What the two kinds of tail calls compile to: with so many arguments, and with all of a vararg.
local PLAIN = last_operation(function(f) return f() end)
local SPREAD = last_operation(function(f, ...) return f(...) end)

--- The lines of all tail calls of a function, in the order of its code.
---@param fn function
---@return integer[]
function M.lines(fn)
  local lines, pc = {}, 1
  local op = operation(fn, pc)
  while op do
    if op == PLAIN or op == SPREAD then
      lines[#lines + 1] = util.funcinfo(fn, pc).currentline
    end
    pc = pc + 1
    op = operation(fn, pc)
  end
  return lines
end

return M
