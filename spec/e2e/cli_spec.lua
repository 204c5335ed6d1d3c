-- covers: run/cli.c run/cli_help.c run/cli_version.c run/cli_check.c run/cli_routes.c
-- covers: run/cli_control.c run/source.c run/load.c run/options.c run/nearest.c
local t = require "e2e.support"

local RIGHT = [[
local gate = require "moongate"
gate.listen { "127.0.0.1:0" }
local shop = gate.upstream("shop", { servers = { "127.0.0.1:9001", "127.0.0.1:9002" } })
gate.route { path = "/api/", upstream = shop }
gate.route { path = "/hello", reply = { 200, "hello\n" } }
gate.route { name = "old", path = "/old", methods = { "GET" }, redirect = "/hello" }
]]

local WRONG = [[
local gate = require "moongate"
gate.listen { "127.0.0.1:0" }
gate.route { path = "/hello",
  repyl = { 200, "hello\n" } }
]]

describe("command line", function()
  after_each(t.cleanup)

  it("greets a newcomer", function()
    local help = t.run { "--help" }
    assert.equal(0, help.status)
    assert.matches("moongate run gateway.lua", help.stdout, 1, true)
    assert.matches("require \"moongate\"", help.stdout, 1, true)
    assert.equal(help.stdout, t.run({ "help" }).stdout)
    assert.equal(1, t.run({}).status)
    for _, command in ipairs { "run", "check", "routes", "reload", "version", "help" } do
      local one = t.run { "help", command }
      assert.equal(0, one.status)
      assert.matches("moongate " .. command, one.stdout, 1, true)
    end
    for _, command in ipairs { "run", "version" } do
      assert.equal(t.run({ "help", command }).stdout, t.run({ command, "--help" }).stdout)
    end
  end)

  it("has every option in the help of its command", function()
    local source = t.read((os.getenv "MOONGATE_ROOT" or ".") .. "/core/run/options.c")
    local names, tested = {}, 0
    for name in source:gmatch '{ "(%-%-[%l-]+)", ' do names[#names + 1] = name end
    for _, command in ipairs { "run", "check", "routes", "reload", "rollback", "generations",
      "upstreams", "top" } do
      local help = t.run({ "help", command }).stdout
      for _, name in ipairs(names) do
        if not t.run({ command, name }).stderr:find("has no option", 1, true) then
          assert.matches(name:gsub("%p", "%%%0") .. "%f[^%w-]", help)
          tested = tested + 1
        end
      end
    end
    assert.is_true(tested > 30)
  end)

  it("tells its version and those of its libraries", function()
    for _, word in ipairs { "version", "--version" } do
      local out = t.run { word }
      assert.equal(0, out.status)
      assert.matches("^moongate %d+%.%d+%.%d+\n", out.stdout)
      for _, library in ipairs { "LuaJIT", "llhttp", "libev", "OpenSSL", "c%-ares", "nghttp2",
        "zlib", "brotli" } do
        assert.matches(library .. " +%S*%s?%d", out.stdout)
      end
    end
  end)

  it("knows what a misspelt command or option meant", function()
    local out = t.run { "chekc", "gateway.lua" }
    assert.equal(1, out.status)
    assert.matches("did you mean check?", out.stderr, 1, true)
    out = t.run { "gateway.lua" }
    assert.equal("moongate: a command stands before the file: moongate run gateway.lua\n",
      out.stderr)
    assert.equal(1, out.status)
    out = t.run { "run", "--worker", "2", "gateway.lua" }
    assert.equal(1, out.status)
    assert.matches("did you mean --workers?", out.stderr, 1, true)
    for _, args in ipairs { { "policies" }, { "schema" }, { "types" }, { "test", "dir" } } do
      out = t.run(args)
      assert.equal(1, out.status)
      assert.matches("is right, but not there yet in this build", out.stderr, 1, true)
    end
    out = t.run { "xyzzy" }
    assert.matches("see moongate help", out.stderr, 1, true)
  end)

  it("says what an option needs", function()
    local file = t.file(RIGHT)
    local cases = {
      { { "run" }, "needs a gateway file" },
      { { "run", file, "--workers" }, "--workers needs a number" },
      { { "run", file, "--workers", "0" }, "expected a number from 1 to 128" },
      { { "run", file, "--socket", "" }, "--socket needs a path" },
      { { "run", file, "--listen=" }, "--listen needs an address" },
      { { "rollback", file, "0" }, "rollback \"0\": expected the number of a generation" },
      { { "rollback", file, "last" }, "expected the number of a generation" },
      { { "rollback", file, "1", "2" }, "one argument too many: \"2\"" },
      { { "version", "--nope" }, "version: one argument too many: \"--nope\"" },
      { { "help", "run", "check" }, "help: one argument too many: \"check\"" },
      { { "run", file, "--listen", "nonsense" }, "--listen \"nonsense\": expected" },
      { { "run", file, "--listen", ":81", "--listen", ":81" }, '--listen ":81": expected each' },
      { { "run", file, "--data", "x" }, "expected name=file" },
      { { "run", file, "extra" }, "one argument too many: \"extra\"" },
      { { "run", file, "--proxy", ":0", "http://127.0.0.1:1" }, "or --proxy, not both" },
      { { "check", file, "--data", "x=/nowhere/x.json" },
        "--data x=/nowhere/x.json: No such file or directory" },
      { { "run", "--proxy", ":0" }, "needs a URL" },
      { { "run", "--proxy", ":0", "ftp://127.0.0.1:1" }, "expected http://host:port or https" },
      { { "run", "--proxy", ":0", "http://127.0.0.1:1/path" }, "without a path" },
      { { "check", file, "--json=1" }, "--json takes no value" },
      { { "routes", file, "GET" }, "needs a method and a URL" },
      { { "routes", file, "GET", "/x", "--json" }, "routes needs either --json" },
      { { "check" }, "needs a gateway file" },
    }
    for _, case in ipairs(cases) do
      local out = t.run(case[1])
      assert.equal(1, out.status)
      assert.matches(case[2], out.stderr, 1, true)
      assert.equal("", out.stdout)
    end
  end)

  describe("check", function()
    it("accepts what is right", function()
      local out = t.run { "check", t.file(RIGHT) }
      assert.equal(0, out.status)
      assert.matches("is right: 1 listener, 3 routes, 1 upstream, 0 policies", out.stdout, 1, true)
      assert.equal("[]\n", t.run({ "check", t.file(RIGHT), "--json" }).stdout)
      assert.not_matches("--listen", out.stdout, 1, true)
      out = t.run { "check", t.file 'local gate = require "moongate"' }
      assert.equal(0, out.status)
      assert.matches("\nit says no address to listen on: run needs %-%-listen\n$", out.stdout)
    end)

    it("tells of routes that never get a request", function()
      local file = t.file [[local gate = require "moongate"
        gate.listen { ":0" }
        gate.route { name = "a", path = "/x/:id", reply = { 200, "a" } }
        gate.route { name = "b", path = "/x/:user", methods = { "GET" }, reply = { 200, "b" } }
        gate.route { name = "c", path = "/x/:id", reply = { 200, "c" } }]]
      local out = t.run { "check", file }
      assert.equal(0, out.status)
      assert.matches("%.lua:5: route c gets no request: a %(.-%.lua:3%) goes before it and takes "
        .. "them all\n$", out.stdout)
      assert.not_matches("route b", out.stdout, 1, true)
      file = t.file [[local gate = require "moongate"
        gate.listen { ":0" }
        gate.on.route(function() return "c" end)
        gate.route { name = "a", path = "/x", reply = { 200, "a" } }
        gate.route { name = "c", path = "/x", reply = { 200, "c" } }]]
      assert.matches("is right: [^\n]*\n$", t.run({ "check", file }).stdout)
    end)

    it("names file, line and the nearest right name", function()
      local out = t.run { "check", t.file(WRONG) }
      assert.equal(1, out.status)
      assert.matches("^gateway%.lua:4: [^\n]*repyl[^\n]*reply", out.stderr)
    end)

    it("gives mistakes as JSON", function()
      local out = t.run { "check", t.file(WRONG), "--json" }
      assert.equal(1, out.status)
      local list = require("moongate.json").decode(out.stdout)
      assert.equal(1, #list)
      assert.equal("gateway.lua", list[1].file)
      assert.equal(4, list[1].line)
      assert.equal("repyl", list[1].name)
      assert.equal("reply", list[1].nearest)
      assert.is_string(list[1].message)
    end)

    it("names file and pointer of what is wrong in data", function()
      local dir = t.folder()
      t.write(dir .. "/routes.json", '[{"path":"/a","reply":[200]},{"path":"/b","upstrem":"x"}]')
      t.write(dir .. "/gateway.lua",
        'local gate = require "moongate"\ngate.routes(gate.data "routes")')
      local out = t.run { "check", dir .. "/gateway.lua" }
      assert.equal("routes.json /1/upstrem: gate.route has no option 'upstrem'; "
        .. "did you mean 'upstream'?\n", out.stderr)
      local list = require("moongate.json").decode(
        t.run({ "check", "--json", dir .. "/gateway.lua" }).stdout)
      assert.equal("routes.json", list[1].file)
      assert.equal("/1/upstrem", list[1].pointer)
    end)

    it("says why data cannot be read", function()
      local dir = t.folder()
      os.execute("mkdir " .. dir .. "/routes.json")
      t.write(dir .. "/gateway.lua",
        'local gate = require "moongate"\ngate.routes(gate.data "routes")')
      local out = t.run { "check", dir .. "/gateway.lua" }
      assert.equal("gateway.lua:2: data 'routes' cannot be read: Is a directory\n", out.stderr)
    end)

    it("says once what the load and the source both show", function()
      local out = t.run { "check", t.file "local gate = require 'moongate'\ngate.lisen {}\n" }
      local _, n = out.stderr:gsub("gateway%.lua:2:", "")
      assert.equal(1, n, out.stderr)
    end)

    it("prints no values of environment variables", function()
      local file = t.file [[
        local gate = require "moongate"
        gate.listen { gate.env "MOONGATE_SPEC_KEY" }
        gate.route { path = "/" .. gate.env "MOONGATE_SPEC_KEY", upstream = "nowhere" }
        error("bad key " .. gate.env "MOONGATE_SPEC_KEY")
      ]]
      for _, args in ipairs { { "check", file }, { "check", "--json", file }, { "run", file },
        { "routes", file } } do
        local out = t.run(args, { env = { MOONGATE_SPEC_KEY = "swordfish" } })
        assert.equal(1, out.status)
        assert.is_nil((out.stdout .. out.stderr):find("swordfish", 1, true))
        assert.matches("got '[env MOONGATE_SPEC_KEY]'", out.stdout .. out.stderr, 1, true)
        assert.matches("bad key [env MOONGATE_SPEC_KEY]", out.stdout .. out.stderr, 1, true)
      end
    end)

    it("names a missing or unreadable file", function()
      local out = t.run { "check", "/nowhere/gateway.lua" }
      assert.equal(1, out.status)
      assert.matches("/nowhere/gateway.lua: No such file or directory", out.stderr, 1, true)
      out = t.run { "run", "/nowhere/gateway.lua" }
      assert.equal(1, out.status)
      assert.matches("/nowhere/gateway.lua: No such file or directory", out.stderr, 1, true)
      out = t.run { "run", t.folder() }
      assert.equal(1, out.status)
      assert.matches("directory", out.stderr, 1, true)
    end)

    it("has room for ten thousand routes that are written out", function()
      -- Sanitizers look at every access: what is measured here they cannot show.
      local n = t.slow > 1 and 500 or 10000
      local calls, list = {}, {}
      for i = 1, n do
        local one = ('{ name = "r%d", host = "h%d.test", path = "/a%d/:id", methods = { "GET" }, '
          .. 'upstream = "u" }'):format(i, i % 100, i)
        calls[i], list[i] = "gate.route " .. one, one .. ","
      end
      local head = 'local gate = require "moongate"\n'
        .. 'gate.upstream("u", { servers = { "127.0.0.1:1" } })\n'
      -- Several functions: one may hold at most 65,536 constants.
      for _, text in ipairs { head .. table.concat(calls, "\n"),
        head .. "gate.routes {\n" .. table.concat(list, "\n", 1, n * 0.8) .. "\n}\n"
          .. "gate.routes((function() return {\n"
          .. table.concat(list, "\n", n * 0.8 + 1) .. "} end)())",
      } do
        local out = t.run { "check", t.file(text) }
        assert.equal(0, out.status, out.stderr)
        assert.matches(n .. " routes", out.stdout, 1, true)
      end
    end)

    it("needs no network, and ends a file that never ends", function()
      local file = t.file [[
        local gate = require "moongate"
        gate.upstream("far", { servers = { "no-such-host.invalid:80" } })
        gate.listen { "127.0.0.1:1" }
      ]]
      assert.equal(0, t.run({ "check", file }).status)
      local out = t.run({ "check", t.file "while true do end" }, { seconds = 2 * t.patience })
      assert.equal(1, out.status)
      assert.matches("gateway.lua", out.stderr, 1, true)
    end)

    it("ends a file that needs too much memory", function()
      local file = t.file "local t = {} for i = 1, 1e9 do t[i] = { i } end"
      local out = t.run({ "check", file }, { seconds = 4 * t.patience })
      assert.equal(1, out.status)
      assert.matches("gateway.lua.*: the gateway file needs more memory than vm_memory allows",
        out.stderr)
    end)
  end)

  describe("run", function()
    it("refuses a bad file, and nothing listens", function()
      local port = t.dead_port()
      local out = t.run { "run", t.file((WRONG:gsub("127.0.0.1:0", "127.0.0.1:" .. port))) }
      assert.equal(1, out.status)
      assert.matches("gateway%.lua:4: ", out.stderr)
      assert.is_nil((t.client.connect(port)))
    end)

    for _, how in ipairs { "supervised", "alone" } do
      it("names an address that is taken, " .. how, function()
        local g = t.gateway [[ gate.listen { "127.0.0.1:0" } ]]
        local file = t.file(('local gate = require "moongate" gate.listen { "127.0.0.1:%d" }')
          :format(g.port))
        local out = t.run { "run", file, how == "alone" and "--foreground-engine" or "--no-watch" }
        assert.equal(2, out.status)
        assert.matches("^moongate: cannot listen on 127%.0%.0%.1:" .. g.port ..
          ": Address already in use; [^\n]*choose another port\n$", out.stderr)
      end)
    end

    for _, how in ipairs { "supervised", "alone" } do
      it("names an address that it may not take, " .. how, function()
        local first = tonumber(t.read "/proc/sys/net/ipv4/ip_unprivileged_port_start")
        if first and first <= 1023 then
          return pending("any user may take any port here (ip_unprivileged_port_start)")
        end
        local wrap = t.without_privilege "net_bind_service"
        if not wrap then return pending("setpriv cannot take a privilege from root here") end
        local run = { "run", t.file 'require("moongate").listen { "127.0.0.1:1023" }',
          how == "alone" and "--foreground-engine" or "--no-watch" }
        local out = t.run(run, { wrap = wrap })
        assert.equal(2, out.status)
        assert.matches("^moongate: cannot listen on 127%.0%.0%.1:1023: Permission denied; "
          .. "ports below 1024 need root[^\n]*\n$", out.stderr)
      end)
    end

    it("refuses a file without an address, unless --listen has one", function()
      local text = 'local gate = require "moongate"\n'
        .. 'gate.route { path = "/", reply = { 200, "x" } }'
      local out = t.run { "run", t.file(text) }
      assert.equal(1, out.status)
      assert.matches("gateway.lua: no address to listen on: ", out.stderr, 1, true)
      local g = t.gateway(text, { args = { "--listen", "127.0.0.1:0" } })
      assert.equal("x", g:get("/").body)
    end)

    it("listens where --listen says", function()
      local g = t.gateway([[
        gate.listen { "127.0.0.1:1" }
        gate.route { path = "/", reply = { 200, "here\n" } }
      ]], { args = { "--listen", "localhost:0", "--listen", "[::1]:0" } })
      assert.equal(2, #g.ports)
      assert.equal("here\n", g:get("/").body)
      assert.equal("here\n", g:get("/", { port = g.ports[2], address = "::1" }).body)
    end)

    it("proxies without any file", function()
      local o = t.origin()
      local g = t.gateway(nil, { args = { "--proxy", "127.0.0.1:0", "http://" .. o.address } })
      assert.equal("GET /a?b=1\n", g:get("/a?b=1").body)
      assert.equal("/a?b=1", o:requests()[1].target)
    end)

    it("gives scripts all of Lua with --trust", function()
      local g = t.gateway([[
        gate.listen { "127.0.0.1:0" }
        local ffi = require "ffi"
        local hook = type(debug.sethook) .. type(package.loaded.debug.sethook)
        gate.route { path = "/", reply = { 200, type(io.open) .. type(os.getenv) .. ffi.os } }
        gate.route { path = "/hook", reply = { 200, hook .. type(_G.debug.sethook) } }
      ]], { args = { "--trust" } })
      assert.equal("functionfunctionLinux", g:get("/").body)
      assert.equal("nilnilnil", g:get("/hook").body)
    end)

    it("hands data to the gateway", function()
      local data = t.file('[{ "path": "/d", "reply": [200, "data"] }]', "r.json")
      local g = t.gateway([[
        gate.listen { "127.0.0.1:0" }
        gate.routes(gate.data "list")
      ]], { args = { "--data", "list=" .. data } })
      assert.equal("data", g:get("/d").body)
    end)
  end)

  describe("routes", function()
    it("prints the table in the order of winning", function()
      local out = t.run { "routes", t.file(RIGHT) }
      assert.equal(0, out.status)
      assert.matches("^ROUTE +HOST +PATH +METHODS +ACTION\n", out.stdout)
      assert.matches("old +%* +/old +GET +redirect 302 /hello\n", out.stdout)
      assert.matches("/api/ +%* +/api/ +%* +upstream shop\n", out.stdout)
      local list = require("moongate.json").decode(
        t.run({ "routes", t.file(RIGHT), "--json" }).stdout).routes
      assert.equal(3, #list)
      assert.equal("upstream shop", list[3].action) -- the prefix comes last
    end)

    it("tells the winner and why", function()
      local out = t.run { "routes", t.file(RIGHT), "GET", "http://shop.test/api/x?y=1" }
      assert.equal(0, out.status)
      assert.matches("^/api/ [^\n]*\n  fits path /api/\n", out.stdout)
      assert.matches("no other route fits host and path", out.stdout, 1, true)
      out = t.run { "routes", t.file(RIGHT .. "gate.on.route(function() end)"), "GET", "/hello" }
      assert.matches("depends on the route hook of gateway.lua:7", out.stdout, 1, true)
      out = t.run { "routes", t.file(RIGHT), "GET", "/%zz" }
      assert.equal(1, out.status)
      assert.matches("the gateway answers 400", out.stdout, 1, true)
    end)

    it("prints no values of environment variables", function()
      local file = t.file [[
        local gate = require "moongate"
        local key = gate.env "MOONGATE_SPEC_KEY"
        gate.route { path = "/" .. ("x"):rep(70) .. key, reply = { 200 } }
        gate.route { path = "/" .. key, redirect = "/to/" .. key }
      ]]
      for _, args in ipairs { { "routes", file }, { "routes", file, "GET", "/swordfish" } } do
        local out = t.run(args, { env = { MOONGATE_SPEC_KEY = "swordfish" } })
        assert.equal(0, out.status)
        assert.is_nil(out.stdout:find("sword", 1, true), out.stdout)
        assert.matches("/[env MOONGATE_SPEC_KEY]", out.stdout, 1, true)
      end
    end)

    it("has the gateway that runs print none either", function()
      local g = t.gateway([[
        gate.listen { "127.0.0.1:0" }
        gate.route { path = "/" .. gate.env "MOONGATE_SPEC_KEY", reply = { 200 } }
      ]], { env = { MOONGATE_SPEC_KEY = "swordfish" } })
      for _, args in ipairs { {}, { "GET", "/swordfish" } } do
        local out = t.run { "routes", "--live", "--socket", g.socket, unpack(args) }
        assert.equal(0, out.status)
        assert.is_nil(out.stdout:find("/sword", 1, true), out.stdout)
        assert.matches("/[env MOONGATE_SPEC_KEY]", out.stdout, 1, true)
      end
    end)
  end)

  describe("reload", function()
    it("says when nobody runs", function()
      local out = t.run { "reload", "--socket", "/nowhere/socket" }
      assert.equal(1, out.status)
      assert.matches("no gateway answers at /nowhere/socket", out.stderr, 1, true)
    end)

    it("finds the gateway by its file, and by its declaration", function()
      local dir = t.folder()
      local g = t.gateway([[ gate.listen { "127.0.0.1:0" } ]],
        { socket = false, env = { XDG_RUNTIME_DIR = dir } })
      local out = t.run({ "reload", g.file }, { env = { XDG_RUNTIME_DIR = dir } })
      assert.equal("generation 2 serves\n", out.stdout)
      assert.equal(0, out.status)
      g = t.gateway(([[ gate.process { control = "%s/c" } gate.listen { "127.0.0.1:0" } ]])
        :format(dir), { socket = false })
      assert.equal(0, t.run({ "reload", g.file }).status)
      -- Where the socket is cannot be learnt from a file that is wrong; what is wrong can.
      g:rewrite "gate.lisen {}"
      out = t.run { "reload", g.file }
      assert.equal(1, out.status)
      assert.matches("^gateway%.lua:1: [^\n]*lisen[^\n]*\nmoongate: not reloaded", out.stderr)
    end)
  end)
end)
