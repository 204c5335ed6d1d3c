# The Lua library, compiled to bytecode inside the binary.
set(MOONGATE_EMBED ${CMAKE_SOURCE_DIR}/core/build/embed)
set(MOONGATE_LUA_OUT ${CMAKE_BINARY_DIR}/lua)

# Sets `out` to the generated C file that defines gate_lua_modules (core/script/embed.h).
function(moongate_embed_lua out)
  file(GLOB_RECURSE modules CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR}/lua
    ${CMAKE_SOURCE_DIR}/lua/moongate/*.lua)
  list(SORT modules)
  set(pairs "")
  set(inputs "")
  foreach(module IN LISTS modules)
    list(APPEND pairs ${module} ${CMAKE_SOURCE_DIR}/lua/${module})
    list(APPEND inputs ${CMAKE_SOURCE_DIR}/lua/${module})
  endforeach()

  file(GLOB api CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/core/script/ffi_api.h)
  if(api)
    set(cdef ${MOONGATE_LUA_OUT}/moongate/ffi_cdef.lua)
    add_custom_command(OUTPUT ${cdef}
      COMMAND ${LuaJIT_COMPILER} ${MOONGATE_EMBED}/cdef.lua ${api} ${cdef}
      DEPENDS ${api} ${MOONGATE_EMBED}/cdef.lua
      COMMENT "Reading the FFI declarations from core/script/ffi_api.h" VERBATIM)
    list(APPEND pairs moongate/ffi_cdef.lua ${cdef})
    list(APPEND inputs ${cdef})
  endif()

  set(generated ${CMAKE_BINARY_DIR}/embed_modules.c)
  file(MAKE_DIRECTORY ${MOONGATE_LUA_OUT}/moongate)
  # The list goes through a file, so that its change is seen and its length has no limit.
  string(REPLACE ";" "\n" text "${pairs}")
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/embed_modules.txt CONTENT "${text}\n" @ONLY)
  add_custom_command(OUTPUT ${generated}
    COMMAND ${LuaJIT_COMPILER} ${MOONGATE_EMBED}/embed.lua ${CMAKE_BINARY_DIR}/embed_modules.txt
      ${generated}
    DEPENDS ${inputs} ${CMAKE_BINARY_DIR}/embed_modules.txt ${MOONGATE_EMBED}/embed.lua
    COMMENT "Compiling the Lua library" VERBATIM)
  set(${out} ${generated} PARENT_SCOPE)
endfunction()
