--- Cases of WebSocket, for any way between a client and an origin: lists of what is claimed and of
--- what shows it, where `where(path, more)` is a place on the way and `running()` the gateway.
local assert = require "luassert"
local cjson = require "cjson"
local rig = require "e2e.websocket.rig"
local t = require "e2e.support"

local M = {}

M.messages = {
  { "carries messages of all sizes", function(where)
    local sizes = { 0, 1, 125, 126, 127, 128, 1000, 16383, 16384, 65535, 65536, 65537, 1048576 }
    local res = rig.client:ask("echo", where("/echo", { sizes = sizes }))
    assert.same({}, res.wrong)
    assert.equal(1000, res.code)
    assert.equal(1000, rig.ends(1)[1].code)
  end },

  { "carries a message of 16 MiB", function(where)
    local res = rig.client:ask("echo", where("/echo", { sizes = { 16 * 2 ^ 20 } }), 60 * t.slow)
    assert.same({}, res.wrong)
  end },

  { "carries fragments and pings between them", function(where)
    local res = rig.client:ask("fragments", where "/echo")
    assert.is_true(res.whole)
    assert.same({ "ping 0", "ping 50", "ping 100", "ping 150" }, res.pongs)
  end },

  { "carries many messages in their order", function(where)
    assert.is_true(rig.client:ask("many", where("/echo", { n = 5000 })).inOrder)
  end },

  { "carries pings of the server", function(where)
    assert.equal("pong hello", rig.client:ask("first", where "/ping").data)
  end },

  { "carries compressed messages", function(where)
    local more = { deflate = true, sizes = { 0, 1, 1000, 100000, 1048576 } }
    assert.same({}, rig.client:ask("echo", where("/echo?deflate", more)).wrong)
    local res = rig.client:ask("first", where("/early?deflate", { deflate = true }))
    assert.equal("permessage-deflate", res.extensions)
    -- Where the server does not want it.
    res = rig.client:ask("first", where("/early", { deflate = true }))
    assert.equal("", res.extensions)
    assert.equal("welcome", res.data)
  end },

  { "carries close codes both ways", function(where)
    for _, code in ipairs { 1000, 1001, 1011, 3000, 4999 } do
      rig.server:ask "forget"
      rig.client:ask("keep", where("/echo", { name = "a" }))
      rig.client:ask("finish", { name = "a", code = code, reason = "so it is" })
      assert.same({ { name = "echo", code = code, reason = "so it is" } }, rig.ends(1))
      local res = rig.client:ask("first", where("/close?reason=bye&code=" .. code))
      assert.equal(code, res.code)
      assert.equal("bye", res.reason)
      rig.ends(2)
    end
    assert.equal(1005, rig.client:ask("first", where "/close").code)
  end },

  { "carries what the other side has to refuse", function(where)
    -- Text that is not UTF-8; a frame without a mask; a continuation of nothing.
    assert.equal(1007, rig.client:ask("raw", where("/echo", { hex = "818200000000c328" })).code)
    assert.equal(1002, rig.client:ask("raw", where("/echo", { hex = "810141" })).code)
    assert.equal(1002, rig.client:ask("raw", where("/echo", { hex = "80810000000041" })).code)
  end },
}

M.handshakes = {
  { "says to the origin who asks, and for what", function(where)
    local res = rig.client:ask("first", where("/headers?a=1&b=%20", { headers = {
      origin = "https://app.test", cookie = "a=1; b=2", ["x-own"] = "me" } }))
    local seen = cjson.decode(res.data)
    assert.equal("GET", seen.method)
    assert.equal("1.1", seen.version)
    assert.equal("/headers?a=1&b=%20", seen.url)
    local h = seen.headers
    assert.equal("websocket", h.upgrade)
    assert.equal("upgrade", h.connection:lower())
    assert.equal("13", h["sec-websocket-version"])
    assert.equal("https://app.test", h.origin)
    assert.equal("a=1; b=2", h.cookie)
    assert.equal("me", h["x-own"])
    assert.equal("127.0.0.1", h["x-forwarded-for"])
    assert.truthy(h.host:find "^localhost:%d+$")
    local h2 = where("").transport:find "^h2" ~= nil
    assert.equal(h2 and "2.0 moongate" or "1.1 moongate", h.via)
    assert.equal(where("").transport:find "s$" and "https" or "http", h["x-forwarded-proto"])
    -- Scripts see the same request, whatever it came over.
    assert.equal(("GET websocket %s 24"):format(h2 and "2.0" or "1.1"), h["x-hook"])
  end },

  { "gives the client the origin's answer, after the response hooks", function(where, running)
    local res = rig.client:ask("first", where "/early")
    local h2 = where("").transport:find "^h2"
    assert.equal(h2 and 200 or 101, res.status)
    assert.equal("101", res.headers["x-status"])
    assert.equal("welcome", res.data)
    if h2 then
      assert.is_nil(res.headers.upgrade)
      assert.is_nil(res.headers.connection)
      assert.is_nil(res.headers["sec-websocket-accept"])
    end
    t.wait_for("the line", function()
      return running():stdout():find '"target":"/early"[^\n]*"status":101'
    end)
  end },

  { "agrees on a subprotocol", function(where)
    local res = rig.client:ask("first", where("/early", { protocols = { "a", "b" } }))
    assert.equal("b", res.protocol)
    assert.equal("", rig.client:ask("first", where "/early").protocol)
  end },

  { "passes refusals of the origin", function(where)
    for _, status in ipairs { 302, 400, 401, 403, 404, 426, 500, 503 } do
      local res = rig.client:ask("refused", where("/refuse?status=" .. status))
      assert.equal(status, res.status)
      assert.equal("no: " .. status, res.body)
      assert.equal("because", res.headers["x-why"])
      assert.equal(status == 426 and "13" or nil, res.headers["sec-websocket-version"])
    end
  end },

  { "is refused by the origin in another version", function(where)
    local res = rig.client:ask("refused", where("/echo", { version = "7" }))
    assert.equal(400, res.status)
    assert.equal("13, 8", res.headers["sec-websocket-version"])
  end },

  { "asks the hooks first", function(where)
    local res = rig.client:ask("refused", where "/auth/echo")
    assert.equal(401, res.status)
    assert.equal("who are you?", res.body)
    assert.equal("Bearer", res.headers["www-authenticate"])
    res = rig.client:ask("echo", where("/auth/echo", { sizes = { 10 },
      headers = { authorization = "Bearer x" } }))
    assert.same({}, res.wrong)
    assert.equal(403, rig.client:ask("refused", where "/turned/echo").status)
    assert.equal(1006, rig.ends(2)[2].code) -- that one was begun, and cut
  end },

  { "is none where the route forbids it", function(where)
    local h2 = where("").transport:find "^h2"
    -- Over HTTP/1.1 the request goes on without asking for a switch.
    assert.equal(h2 and 501 or 200, rig.client:ask("refused", where "/none/echo").status)
    assert.equal(h2 and 501 or 200, rig.client:ask("refused", where "/always/echo").status)
    assert.equal(0, #rig.server:ask("seen").ends)
  end },
}

--- To an origin that speaks HTTP/2.
M.handshakes_up2 = {
  { "asks the origin by an extended CONNECT", function(where)
    local res = rig.client:ask("first", where("/headers?a=1", { protocols = { "a", "b" },
      headers = { cookie = "a=1" } }))
    local seen = cjson.decode(res.data)
    local h = seen.headers
    assert.equal("CONNECT", h[":method"])
    assert.equal("websocket", h[":protocol"])
    assert.equal("/up2/headers?a=1", h[":path"])
    assert.equal("http", h[":scheme"])
    assert.truthy(h[":authority"]:find "^localhost:%d+$")
    assert.equal("13", h["sec-websocket-version"])
    assert.equal("a=1", h.cookie)
    assert.is_nil(h["sec-websocket-key"])
    assert.is_nil(h.upgrade)
    assert.is_nil(h.connection)
    assert.is_nil(h.te)
    local h2 = where("").transport:find "^h2"
    assert.equal(h2 and 200 or 101, res.status)
    assert.equal("101", res.headers["x-status"])
    assert.equal("b", res.protocol)
  end },

  { "passes refusals of the origin", function(where)
    for _, status in ipairs { 302, 400, 401, 403, 404, 503 } do
      local res = rig.client:ask("refused", where("/refuse?status=" .. status))
      assert.equal(status, res.status)
      assert.equal("no: " .. status, res.body)
      assert.equal("because", res.headers["x-why"])
    end
  end },
}

M.crowds = {
  { "carries 300 at once", function(where, running)
    local res = rig.client:ask("crowd", where("/echo", { n = 300 }), 60 * t.slow)
    assert.equal(300, res.good)
    assert.equal(300, res.ended)
    t.wait_for("the ends", function() return running():metric "moongate_tunnels" == 0 end)
  end },

  { "holds the server back while the client does not read", function(where)
    local n = 800
    rig.client:ask("keep", where("/flood?n=" .. n, { name = "slow", pause = true }))
    local left = t.wait_for_standstill("a server that waits", function()
      return rig.server:ask("seen").floodLeft
    end)
    assert.is_true(left > 100, left)
    local res = rig.client:ask("drain", { name = "slow" }, 60 * t.slow)
    assert.equal(n * 65536, res.n)
    assert.equal(1000, res.code)
  end },

  { "holds the client back while the server does not read", function(where)
    local n = 800
    rig.client:ask("keep", where("/deaf", { name = "fast" }))
    rig.client:ask("push", { name = "fast", n = n })
    t.wait_for_standstill("a client that waits", function()
      return rig.client:ask("waiting", { name = "fast" }).bytes
    end)
    local res = rig.server:ask("listenAgain", {}, 60 * t.slow)
    assert.equal(n * 65536, res.n)
    assert.equal(1000, res.code)
  end },
}

M.deaths = {
  { "tells the server when the client dies", function(where)
    for i, how in ipairs { "end", "reset" } do
      rig.client:ask("keep", where("/echo", { name = "mortal" }))
      assert.equal("hi", rig.client:ask("say", { name = "mortal", text = "hi" }).data)
      rig.client:ask("leave", { name = "mortal", how = how })
      assert.equal(1006, rig.ends(i)[i].code)
    end
  end },

  { "tells the client when the server dies", function(where)
    for _, how in ipairs { "die", "reset" } do
      rig.client:ask("keep", where("/" .. how, { name = "mortal" }))
      assert.equal(1006, rig.client:ask("say", { name = "mortal", text = "now" }).code)
    end
  end },
}

return M
