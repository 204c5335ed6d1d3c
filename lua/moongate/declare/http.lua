--- Names of the HTTP protocol that declarations are checked against.

local M = {}

--- Request methods that the gateway's parser knows; others never reach a route.
M.METHODS = {
  "ACL", "BIND", "CHECKOUT", "CONNECT", "COPY", "DELETE", "GET", "HEAD", "LINK", "LOCK",
  "M-SEARCH", "MERGE", "MKACTIVITY", "MKCALENDAR", "MKCOL", "MOVE", "NOTIFY", "OPTIONS", "PATCH",
  "POST", "PROPFIND", "PROPPATCH", "PURGE", "PUT", "REBIND", "REPORT", "SEARCH", "SOURCE",
  "SUBSCRIBE", "TRACE", "UNBIND", "UNLINK", "UNLOCK", "UNSUBSCRIBE",
}

--- Fields of a response that the gateway writes itself.
M.FRAMING = {
  ["connection"] = true, ["content-length"] = true, ["keep-alive"] = true,
  ["proxy-connection"] = true, ["te"] = true, ["trailer"] = true, ["transfer-encoding"] = true,
  ["upgrade"] = true,
}

--- Whether the value is a token of RFC 9110: a header name, a protocol name.
---@param value any
---@return boolean
function M.is_token(value)
  return type(value) == "string" and value:find("^[%w!#$%%&'*+.^_`|~-]+$") ~= nil
end

--- Whether the value is a legal header value: no controls but tabs, no blanks at its ends.
---@param value any
---@return boolean
function M.is_header_value(value)
  return type(value) == "string" and not value:find("[%z\1-\8\10-\31\127]")
    and not value:find("^[ \t]") and not value:find("[ \t]$")
end

return M
