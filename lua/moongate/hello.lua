--- `hello`: what a `certificate` hook is called with: what a client says when it begins a TLS
--- handshake.

local ffi = require "ffi"
local view = require "moongate.view"

local M = {}

local make = view.maker("hello", { "ip", "sni", "alpn" })

--- The hello of the handshake that waits.
---@param call { p: any, n: integer, p2: any, n2: integer } ip; name and protocols, by lines
---@return table
function M.of(call)
  local sni, rest = ffi.string(call.p2, call.n2):match "^([^\n]*)\n(.*)$"
  local alpn = {}
  for protocol in rest:gmatch "[^\n]+" do alpn[#alpn + 1] = protocol end
  return make { ip = ffi.string(call.p, call.n), sni = sni ~= "" and sni or nil, alpn = alpn }
end

return M
