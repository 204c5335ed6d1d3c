-- libmoongate as its users have it: installed, found by pkg-config, linked into examples/embed; and
-- what its files show of themselves.
local t = require "e2e.support"

local root = os.getenv "MOONGATE_ROOT" or "."
local build = (os.getenv "MOONGATE_BIN" or "build/debug/moongate"):gsub("/?[^/]*$", "")

-- A program has to be built with the sanitizer of its libraries.
local sanitizers = { address = "-fsanitize=address,undefined", thread = "-fsanitize=thread" }
local flags = sanitizers[os.getenv "MOONGATE_SANITIZE" or "none"] or ""

--- Runs a shell command; its output.
local function sh(command, ...)
  local pipe = io.popen("(" .. command:format(...) .. ") 2>&1; echo status $?")
  local text = pipe:read "*a"
  pipe:close()
  local out, status = text:match "^(.*)status (%d+)\n$"
  assert.equal("0", status, out)
  return out
end

--- Installs into a new folder; the folder and the one of its libraries.
local function install()
  local prefix = t.folder()
  sh("cmake --install %s --prefix %s", build, prefix)
  local libs = sh("dirname $(find %s -name moongate.pc)", prefix):match "^(.*)/pkgconfig\n$"
  return prefix, libs
end

--- Builds a program of one C file against the installed library.
local function compile(libs, source, static)
  local binary = t.folder() .. "/program"
  local pc = ("PKG_CONFIG_PATH=%s/pkgconfig pkg-config"):format(libs)
  local link = ("$(%s --libs moongate) -Wl,-rpath,%s"):format(pc, libs)
  if static then
    link = ("$(%s --static --libs moongate | sed 's/-lmoongate/-l:libmoongate.a/')"):format(pc)
  end
  sh("cc -std=c11 -Wall -Wextra -Werror -O1 %s $(%s --cflags moongate) %s -o %s %s -lm", flags, pc,
    source, binary, link)
  return binary
end

local Program = {}
Program.__index = Program

function Program:say(line)
  self.input:write(line, "\n")
  self.input:flush()
end

--- Waits until the program has said a pattern; its first capture.
function Program:hears(pattern)
  return t.wait_for(pattern, function() return t.read(self.out):match(pattern) end)
end

function Program:get(path)
  return t.client.request(tonumber(self.address:match ":(%d+)$"), path, {})
end

function Program:stop()
  self.input:close()
  self.process:kill()
end

local program

local function start(binary, file)
  local dir = t.folder()
  sh("mkfifo %s/in", dir)
  local p = t.process.start({ "sh", "-c", ("exec %s %s < %s/in"):format(binary, file, dir) },
    { stdout = dir .. "/out", stderr = dir .. "/err" })
  program = setmetatable({ process = p, out = dir .. "/out", err = dir .. "/err" }, Program)
  program.input = assert(io.open(dir .. "/in", "w"))
  program.address = program:hears "generation 1 serves at (%S+)\n"
  return program
end

-- A second file, with a word that is nearly right.
local function write_files(dir)
  local text = t.read(root .. "/examples/embed/gateway.lua")
  t.write(dir .. "/next.lua", (text:gsub('"/nearest"', '"/closest"')))
  t.write(dir .. "/wrong.lua", (text:gsub("handler =", "handlr =")))
  t.write(dir .. "/loop.lua", (text:gsub("local name, least", "while true do end %0")))
end

describe("libmoongate", function()
  after_each(function()
    if program then program:stop() end
    program = nil
    t.cleanup()
  end)

  local function try(binary)
    local dir = t.folder()
    write_files(dir)
    local p = start(binary, root .. "/examples/embed/gateway.lua")
    local function body(path)
      local res = p:get(path)
      assert.equal(200, res.status)
      return res.body
    end

    assert.equal("Munich, 4.5 km\n", body "/nearest?lat=48.1&lon=11.6")
    assert.equal(500, p:get("/nearest?lat=91&lon=0").status)
    t.wait_for("the log line", function()
      return t.read(p.err):find("gateway.lua:16: a latitude is between -90 and 90", 1, true)
    end)

    p:say("load " .. dir .. "/wrong.lua")
    p:hears("wrong%.lua:%d+: [^\n]*handlr[^\n]*\n"
      .. "  name: handlr, expected: [^\n]+, nearest: handler\n")
    p:say("load " .. dir .. "/next.lua")
    assert.equal("2", p:hears "loaded (%d+)\n[^\n]*$")
    assert.equal(404, p:get("/closest?lat=48.1&lon=11.6").status)
    p:say "activate 2"
    p.address = p:hears "generation 2 serves at (%S+)\n"
    assert.equal("Munich, 4.5 km\n", body "/closest?lat=48.1&lon=11.6")
    p:say "activate 2"
    p:hears "no loaded generation of that number"
    p:say "rollback"
    p.address = p:hears "generation 3 serves at (%S+)\n"
    assert.equal("Berlin, 2.2 km\n", body "/nearest?lat=52.5&lon=13.4")

    p:say("load " .. dir .. "/loop.lua")
    p:hears "loaded 4\n"
    p:say "activate 4"
    p.address = p:hears "generation 4 serves at (%S+)\n"
    assert.equal(503, p:get("/nearest?lat=1&lon=1").status)
    p:hears "loop%.lua:14: handler of [^\n]+ was stopped\n"
    p:say "show metrics"
    p:hears "moongate_hook_kills_total 1\n"

    p:say "quit"
    p:hears "drained\n"
    assert.equal(0, (p.process:wait(t.patience)))
    assert.not_matches("Sanitizer", t.read(p.err))
  end

  it("is linked shared", function()
    local _, libs = install()
    local binary = compile(libs, root .. "/examples/embed/embed.c")
    assert.matches("libmoongate%.so%.0 => " .. libs:gsub("%p", "%%%0"), sh("ldd %s", binary))
    try(binary)
  end)

  it("is linked static", function()
    local _, libs = install()
    local binary = compile(libs, root .. "/examples/embed/embed.c", true)
    assert.not_matches("moongate", sh("ldd %s", binary):gsub(binary, ""))
    try(binary)
  end)

  it("shows nothing but its own functions", function()
    local prefix, libs = install()
    local public = {}
    for name in t.read(prefix .. "/include/moongate.h"):gmatch "GATE_API [^;(]-(gate_[%w_]+)%(" do
      public[#public + 1] = name
    end
    table.sort(public)
    assert.is_true(#public > 20)
    local expected = table.concat(public, "\n") .. "\n"
    local names = "nm %s --defined-only %s | sed -n 's/.* [A-Z] //p' | LC_ALL=C sort -u"
    assert.equal(expected, sh(names, "-D", libs .. "/libmoongate.so"))
    assert.equal(expected, sh(names, "-g", libs .. "/libmoongate.a"))
  end)

  -- Who takes which signal, how many use c-ares, that forks are watched; two words of LuaJIT's.
  it("has no other state of the process than what has to be", function()
    if flags ~= "" then return end -- sanitizers have some of their own
    local _, libs = install()
    local names = sh([[objdump -t %s/libmoongate.a | sed -n 's/.* O \.\(bss\|data\)\s\S* //p' |
      sed 's/[.0-9]*$//' | LC_ALL=C sort -u]], libs)
    assert.equal("hint_addr\nlibrary_lock\nlock\nonce\nprofile_state\ntaken\n", names)
  end)

  it("has a header for C++ too", function()
    local prefix = install()
    local source = t.folder() .. "/a.cc"
    t.write(source, '#include <moongate.h>\nint main() { gate_setup s; gate_setup_init(&s); }\n')
    sh("c++ -std=c++11 -Wall -Wextra -Werror -fsyntax-only -I%s/include %s", prefix, source)
  end)
end)
