require "support.engine"()
local task = require "moongate.task"

-- Drives a task as the engine does: one resume for each wait. Answers how many waits there were.
local function drive(fn)
  local waits = 0
  local co = coroutine.create(fn)
  task.tasks[co] = true
  while true do
    local values = { coroutine.resume(co) }
    assert(values[1], values[2])
    if #values == 1 then return waits end
    waits = waits + 1
  end
end

describe("moongate.task", function()
  it("waits once for each wait", function()
    assert.equal(0, drive(function() end))
    assert.equal(2, drive(function() task.wait() task.wait() end))
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
    local co = coroutine.create(function()
      inner = coroutine.create(function() task.wait() end)
      task.resume(inner)
    end)
    task.tasks[co] = true
    assert.equal(2, select("#", coroutine.resume(co)))
    drive(function() results = { task.resume(inner) } end)
    assert.is_false(results[1])
    assert.is_truthy(results[2]:find("waits for the gateway"))
    assert.equal(1, select("#", coroutine.resume(co)))
    assert.equal("dead", coroutine.status(inner))
  end)
end)
