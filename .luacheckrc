std = "luajit"
max_line_length = 100
self = false

-- Line length in lua/ is the size lint's, which knows exceptions.
files["lua"] = { max_line_length = false }
files["spec"] = { std = "luajit+busted" }

-- Code that runs inside the gateway has one more global.
local gateway = { read_globals = { "gate" } }
files["lua/moongate/policy"] = { read_globals = { "gate" }, max_line_length = false }
files["scripts"] = gateway
files["examples"] = gateway
files["spec/e2e"] = { std = "luajit+busted", read_globals = { "gate" } }
