std = "luajit"
max_line_length = 100
self = false

-- Line length in lua/ is the size lint's, which knows exceptions.
files["lua"] = { max_line_length = false }
files["spec"] = { std = "luajit+busted" }

-- Scripts that do what they should not.
files["tests/support/attacks.lua"] = { ignore = { "241" } }
files["tests/support/sandbox_checks.lua"] = { ignore = { "122" } }
