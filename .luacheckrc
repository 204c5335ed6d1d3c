std = "luajit"
max_line_length = 100
unused_args = true
self = false

-- The sandbox's whitelist has its own global.
local gateway = { read_globals = { "gate" } }
files["scripts"] = gateway
files["examples"] = gateway
files["lua/moongate/policy"] = gateway
files["spec"] = { std = "luajit+busted", read_globals = { "gate" } }
files["spec/**/*.lua"] = { std = "luajit+busted", read_globals = { "gate" } }
