/* Load errors: from the mistakes that the Lua library found, or from what ended a load. */
#include "base/err.h"
#include "script/load_int.h"
#include "script/run_int.h"
#include "script/stack_int.h"

void gate_load_errors_init(struct gate_load_errors *e)
{
    gate_arena_init(&e->arena, NULL);
    e->v = NULL;
    e->n = 0;
}

void gate_load_errors_fini(struct gate_load_errors *e)
{
    gate_arena_clear(&e->arena);
    e->v = NULL;
    e->n = 0;
}

struct gate_load_error *gate_load_error_new(struct gate_load_errors *e)
{
    struct gate_load_error *v = gate_arena_zalloc(&e->arena, (e->n + 1) * sizeof(*v));

    /* Few, and cold: the old array stays in the arena. */
    if (e->n > 0)
        memcpy(v, e->v, e->n * sizeof(*v));
    e->v = v;
    return &v[e->n++];
}

static struct gate_str field(struct gate_load_errors *e, lua_State *L, const char *name)
{
    struct gate_str s = GATE_STR_NONE;

    lua_pushstring(L, name);
    lua_rawget(L, -2);
    if (lua_type(L, -1) == LUA_TSTRING) {
        s.p = lua_tolstring(L, -1, &s.n);
        s = gate_arena_copy(&e->arena, s);
    }
    lua_pop(L, 1);
    return s;
}

static void add_mistake(struct gate_load_errors *e, lua_State *L)
{
    struct gate_load_error *v = gate_load_error_new(e);

    v->file = field(e, L, "file");
    v->pointer = field(e, L, "pointer");
    v->name = field(e, L, "name");
    v->expected = field(e, L, "expected");
    v->nearest = field(e, L, "nearest");
    v->message = field(e, L, "message");
    lua_pushliteral(L, "line");
    lua_rawget(L, -2);
    v->line = (uint32_t)lua_tonumber(L, -1);
    lua_pop(L, 1);
}

void gate_load_error_read(struct gate_load_errors *e, lua_State *L, int index)
{
    if (lua_type(L, index) != LUA_TTABLE)
        return;
    for (int i = 1, n = (int)lua_objlen(L, index); i <= n; i++) {
        lua_rawgeti(L, index, i);
        if (lua_type(L, -1) == LUA_TTABLE)
            add_mistake(e, L);
        lua_pop(L, 1);
    }
}

/* "gateway.lua:7": where the hook stopped the script, or on the stack of what failed. */
static void write_place(const struct gate_vm *vm, lua_State *co, struct gate_out *o)
{
    const char *at = vm->watch == NULL ? "" : vm->watch->stopped_at;

    if (at[0] != '\0')
        gate_out_put(o, at, strcspn(at, " "));
    else
        gate_stack_place(co, o);
}

static void locate(struct gate_load_errors *e, struct gate_load_error *v, const struct gate_vm *vm,
                   lua_State *co)
{
    char text[GATE_STOPPED_AT];
    struct gate_out o = gate_out_on(text, sizeof(text));
    uint64_t line = 0;
    size_t colon;

    v->file = gate_arena_copy(&e->arena, gate_bundle_main_name(vm->bundle));
    write_place(vm, co, &o);
    for (colon = o.n; colon > 0 && text[colon - 1] != ':';)
        colon--;
    if (colon == 0 || !gate_str_to_u64(gate_str_of(text + colon, o.n - colon), &line))
        return;
    v->file = gate_arena_copy(&e->arena, gate_str_of(text, colon - 1));
    v->line = (uint32_t)line;
}

void gate_load_error_stopped(struct gate_load_errors *e, const struct gate_vm *vm, lua_State *co,
                             enum gate_vm_result r)
{
    struct gate_load_error *v = gate_load_error_new(e);
    char text[1024];
    struct gate_out o = gate_out_on(text, sizeof(text));

    locate(e, v, vm, co);
    if (r == GATE_VM_KILLED)
        gate_out_fmt(&o, "the gateway file ran longer than load_time (%u ms)", vm->load_time_ms);
    else if (r == GATE_VM_NOMEM)
        GATE_OUT_LIT(&o, "the gateway file needs more memory than vm_memory allows");
    else
        gate_stack_error(co, lua_gettop(co), &o);
    v->message = gate_arena_copy(&e->arena, gate_out_view(&o));
}
