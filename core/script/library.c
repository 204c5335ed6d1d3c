/* The Lua library as boot.lua sees it: its modules (embedded bytecode, or files below
 * MOONGATE_LUA_DIR for those who work on it), and the functions by which it reads the bundle and
 * the environment. Runs at load only. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/siphash.h"
#include "script/embed.h"
#include "script/task_int.h"

static struct gate_vm *vm_of(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}

/* It is there only while the VM is built. */
GATE_LUA_THROWS static struct gate_bundle *bundle_of(lua_State *L)
{
    struct gate_bundle *b = vm_of(L)->bundle;

    if (b == NULL)
        luaL_error(L, "files are read only while the gateway file loads");
    return b;
}

static struct gate_str arg_str(lua_State *L, int index)
{
    struct gate_str s;

    s.p = luaL_checklstring(L, index, &s.n);
    return s;
}

static const struct gate_lua_module *find_embedded(const char *name)
{
    for (const struct gate_lua_module *m = gate_lua_modules; m->name != NULL; m++)
        if (strcmp(m->name, name) == 0)
            return m;
    return NULL;
}

static bool push_from_dir(lua_State *L, const char *dir, const struct gate_lua_module *m)
{
    char path[4096], chunk[300];
    FILE *f;
    long n;
    char *text;
    int failed;

    snprintf(path, sizeof(path), "%s/%s", dir, m->path);
    f = fopen(path, "rbe");
    if (f == NULL)
        return false;
    fseek(f, 0, SEEK_END);
    n = ftell(f);
    rewind(f);
    text = gate_alloc((size_t)(n > 0 ? n : 0) + 1);
    n = (long)fread(text, 1, (size_t)(n > 0 ? n : 0), f);
    fclose(f);
    snprintf(chunk, sizeof(chunk), "@%s", m->path);
    failed = luaL_loadbuffer(L, text, (size_t)n, chunk);
    gate_free(text);
    if (failed)
        lua_error(L);
    return true;
}

GATE_LUA_THROWS bool gate_library_push_chunk(lua_State *L, const char *module)
{
    const struct gate_lua_module *m = find_embedded(module);
    const char *dir = getenv("MOONGATE_LUA_DIR");
    char chunk[300];

    if (m == NULL)
        return false;
    if (dir != NULL && push_from_dir(L, dir, m))
        return true;
    snprintf(chunk, sizeof(chunk), "@%s", m->path);
    if (luaL_loadbuffer(L, (const char *)m->bytes, m->length, chunk))
        lua_error(L);
    return true;
}

/* host.library(module) → chunk | nil */
GATE_LUA_THROWS static int host_library(lua_State *L)
{
    if (!gate_library_push_chunk(L, luaL_checkstring(L, 1)))
        lua_pushnil(L);
    return 1;
}

/* Pushes name and bytes, or nil and why not. */
GATE_LUA_THROWS static int push_found(lua_State *L, enum gate_err err, struct gate_str name,
                                      struct gate_str bytes)
{
    if (err != GATE_OK) {
        const char *why = err == GATE_E_SYS ? strerrordesc_np(errno) : gate_err_text(err);

        lua_pushnil(L);
        lua_pushstring(L, err == GATE_E_NOTFOUND ? NULL : why);
        return 2;
    }
    lua_pushlstring(L, name.p, name.n);
    lua_pushlstring(L, bytes.p, bytes.n);
    return 2;
}

/* host.module("a.b") → name, bytes | nil */
GATE_LUA_THROWS static int host_module(lua_State *L)
{
    struct gate_str name = GATE_STR_NONE, bytes = GATE_STR_NONE;
    enum gate_err err = gate_bundle_module(bundle_of(L), arg_str(L, 1), &name, &bytes);

    return push_found(L, err, name, bytes);
}

/* host.native("name") → table of functions | nil */
GATE_LUA_THROWS static int host_native(lua_State *L)
{
    struct gate_vm *vm = vm_of(L);

    if (!gate_natives_push(vm->natives, L, luaL_checkstring(L, 1), &vm->native_text))
        lua_pushnil(L);
    return 1;
}

/* host.data("name") → name, bytes | nil */
GATE_LUA_THROWS static int host_data(lua_State *L)
{
    struct gate_str name = GATE_STR_NONE, bytes = GATE_STR_NONE;
    enum gate_err err = gate_bundle_data(bundle_of(L), arg_str(L, 1), &name, &bytes);

    return push_found(L, err, name, bytes);
}

/* host.main() → name, bytes */
GATE_LUA_THROWS static int host_main(lua_State *L)
{
    struct gate_bundle *b = bundle_of(L);

    return push_found(L, GATE_OK, gate_bundle_main_name(b), gate_bundle_main(b));
}

/* host.read("lib/a.lua") → bytes | nil: what was read before, by display name */
GATE_LUA_THROWS static int host_read(lua_State *L)
{
    struct gate_str bytes;

    if (!gate_bundle_read(bundle_of(L), arg_str(L, 1), &bytes)) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushlstring(L, bytes.p, bytes.n);
    return 1;
}

/* host.getenv(name) → value | nil */
GATE_LUA_THROWS static int host_getenv(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    const char *value = getenv(name);

    if (value != NULL)
        gate_secrets_add(&vm_of(L)->secrets, name, value);
    lua_pushstring(L, value);
    return 1;
}

/* host.hide(text) → text without values of environment variables */
GATE_LUA_THROWS static int host_hide(lua_State *L)
{
    const struct gate_secrets *s = &vm_of(L)->secrets;
    struct gate_str text = arg_str(L, 1);
    size_t longest = 1;
    struct gate_out o;

    for (uint32_t i = 0; i < s->n; i++) {
        size_t n = strlen(s->v[i].name) + sizeof("[env ]");

        longest = n > longest ? n : longest;
    }
    o = gate_out_on(lua_newuserdata(L, text.n * longest + 1), text.n * longest);
    gate_secrets_hide(s, text, &o);
    lua_pushlstring(L, o.p, o.n);
    return 1;
}

/* host.time_hooks(): the scripts ask how long hooks take */
GATE_LUA_THROWS static int host_time_hooks(lua_State *L)
{
    vm_of(L)->timed = true;
    return 0;
}

/* host.bound_load(load_time_ms | nil, vm_memory | nil): what the file has declared for itself */
GATE_LUA_THROWS static int host_bound_load(lua_State *L)
{
    gate_vm_bound_load(vm_of(L), (uint32_t)luaL_optnumber(L, 1, 0),
                       (uint64_t)luaL_optnumber(L, 2, 0));
    return 0;
}

/* host.raised() → what a member of the running task's gate.all raised */
GATE_LUA_THROWS static int host_raised(lua_State *L)
{
    struct gate_task *t = vm_of(L)->task;

    lua_rawgeti(L, LUA_REGISTRYINDEX, t == NULL ? LUA_NOREF : t->raised);
    if (t != NULL) {
        luaL_unref(L, LUA_REGISTRYINDEX, t->raised);
        t->raised = LUA_NOREF;
    }
    return 1;
}

/* host.seed() → a random number for math.randomseed */
GATE_LUA_THROWS static int host_seed(lua_State *L)
{
    struct gate_sipkey key;

    gate_sipkey_random(&key);
    lua_pushnumber(L, (lua_Number)(key.k0 >> 11));
    return 1;
}

/* host.modules() → names of all library modules */
GATE_LUA_THROWS static int host_modules(lua_State *L)
{
    int n = 0;

    lua_createtable(L, (int)gate_lua_modules_count, 0);
    for (const struct gate_lua_module *m = gate_lua_modules; m->name != NULL; m++) {
        lua_pushstring(L, m->name);
        lua_rawseti(L, -2, ++n);
    }
    return 1;
}

void gate_library_push_host(struct gate_vm *vm)
{
    static const luaL_Reg functions[] = {
        {"library", host_library}, {"module", host_module},   {"data", host_data},
        {"main", host_main},       {"read", host_read},       {"getenv", host_getenv},
        {"seed", host_seed},       {"raised", host_raised},   {"modules", host_modules},
        {"hide", host_hide},       {"bound_load", host_bound_load},
        {"time_hooks", host_time_hooks}, {"native", host_native}, {NULL, NULL},
    };
    lua_State *L = vm->L;

    lua_newtable(L);
    for (const luaL_Reg *f = functions; f->name != NULL; f++) {
        lua_pushlightuserdata(L, vm);
        lua_pushcclosure(L, f->func, 1);
        lua_setfield(L, -2, f->name);
    }
    lua_pushlightuserdata(L, vm);
    lua_setfield(L, -2, "vm");
    lua_pushlightuserdata(L, (void *)&gate_api_table);
    lua_setfield(L, -2, "api");
    lua_pushlightuserdata(L, &vm->io);
    lua_setfield(L, -2, "io");
    lua_pushlightuserdata(L, (void *)gate_watch_sentinel());
    lua_setfield(L, -2, "sentinel");
}
