local engine = require "support.engine"()
local task = require "moongate.task"

-- Drives a task as the engine does: one resume for each wait. Answers how many waits there were.
local function drive(fn)
  local waits = 0
  local co = coroutine.create(task.trampoline)
  task.chains[1] = fn
  engine.io.chain = 1
  while true do
    local values = { coroutine.resume(co) }
    assert(values[1], values[2])
    if #values == 1 then return waits, co end
    waits = waits + 1
  end
end

describe("moongate.task", function()
  it("waits once for each wait", function()
    assert.equal(0, (drive(function() end)))
    assert.equal(2, (drive(function() task.wait() task.wait() end)))
  end)

  it("serves one chain after the other", function()
    local n = 0
    local _, co = drive(function() n = n + 1 end)
    task.chains[2] = function() n = n + 10 end
    engine.io.chain = 2
    assert.is_true(coroutine.resume(co))
    engine.io.chain = 1
    assert.is_true(coroutine.resume(co))
    assert.equal(12, n)
  end)

  it("passes waits on through coroutines of scripts, and nothing else", function()
    local got = {}
    local waits = drive(function()
      local co = task.wrap(function(a)
        task.wait()
        local b = task.yield(a + 1)
        local inner = task.wrap(function() task.wait() return b + 1 end)
        return inner()
      end)
      got[1], got[2] = co(1), co(10)
    end)
    assert.equal(2, waits)
    assert.same({ 2, 11 }, got)
  end)

  it("is no coroutine that a script could yield from or find", function()
    local ok, running
    drive(function()
      ok = pcall(task.yield)
      running = task.running()
      task.wrap(function() assert(task.running() ~= nil) end)()
    end)
    assert.is_false(ok)
    assert.is_nil(running)
  end)

  it("hands errors of coroutines on", function()
    local results
    drive(function()
      results = { task.resume(coroutine.create(function() error("x", 0) end)) }
      local ok, err = pcall(task.wrap(function() error({ 1 }) end))
      assert(not ok and err[1] == 1)
    end)
    assert.same({ false, "x" }, results)
  end)

  it("keeps others from resuming a coroutine that waits", function()
    local inner, results
    local co = coroutine.create(task.trampoline)
    task.chains[1] = function()
      inner = coroutine.create(function() task.wait() end)
      task.resume(inner)
    end
    engine.io.chain = 1
    assert.equal(2, select("#", coroutine.resume(co)))
    drive(function() results = { task.resume(inner) } end)
    assert.is_false(results[1])
    assert.is_truthy(results[2]:find("waits for the gateway"))
    engine.io.chain = 1
    assert.equal(1, select("#", coroutine.resume(co)))
    assert.equal("dead", coroutine.status(inner))
  end)
end)
