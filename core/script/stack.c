#include "script/stack_int.h"

#define FRAMES_MAX 200
#define SHOWN_MAX  12

bool gate_stack_is_script(const lua_Debug *ar)
{
    return ar->source[0] == '@' && strncmp(ar->source, "@moongate/", 10) != 0;
}

/* The line is not known (-1) in the top frame of a coroutine that died. */
static void write_place(const lua_Debug *ar, struct gate_out *o)
{
    if (ar->currentline > 0)
        gate_out_fmt(o, "%s:%d", ar->source + 1, ar->currentline);
    else
        gate_out_fmt(o, "%s:%d", ar->source + 1, ar->linedefined);
}

bool gate_stack_place(lua_State *co, struct gate_out *o)
{
    lua_Debug ar;

    for (int level = 0; level < FRAMES_MAX && lua_getstack(co, level, &ar); level++) {
        lua_getinfo(co, "Sl", &ar);
        if (!gate_stack_is_script(&ar))
            continue;
        write_place(&ar, o);
        return true;
    }
    return false;
}

/* Whether the value on top, which it pops, is a function of a script; then its source is in ar. */
static bool pop_script_function(lua_State *L, lua_Debug *ar)
{
    if (lua_type(L, -1) != LUA_TFUNCTION) {
        lua_pop(L, 1);
        return false;
    }
    lua_getinfo(L, ">S", ar);
    return gate_stack_is_script(ar);
}

bool gate_stack_callee_place(lua_State *L, int ref, uint32_t nth, struct gate_out *o)
{
    int top = lua_gettop(L);
    bool found = false;
    lua_Debug ar;

    lua_rawgeti(L, LUA_REGISTRYINDEX, ref);
    for (int i = 1; !found && lua_getupvalue(L, top + 1, i) != NULL; i++)
        found = pop_script_function(L, &ar) && --nth == 0;
    lua_settop(L, top);
    if (found)
        gate_out_fmt(o, "%s:%d", ar.source + 1, ar.linedefined);
    return found;
}

void gate_stack_trace(lua_State *co, struct gate_out *o)
{
    lua_Debug ar;
    int shown = 0;

    for (int level = 0; level < FRAMES_MAX && lua_getstack(co, level, &ar); level++) {
        lua_getinfo(co, "Sln", &ar);
        if (!gate_stack_is_script(&ar))
            continue;
        if (shown++ == SHOWN_MAX) {
            GATE_OUT_LIT(o, " < ...");
            return;
        }
        if (shown > 1)
            GATE_OUT_LIT(o, " < ");
        write_place(&ar, o);
        if (ar.name != NULL)
            gate_out_fmt(o, " in %s", ar.name);
    }
}

/* A table is often { code = …, message = … }: its own fields, not those of a metatable. */
static bool write_message_of(lua_State *co, int index, struct gate_out *o)
{
    bool found;

    lua_pushliteral(co, "message");
    lua_rawget(co, index);
    found = lua_type(co, -1) == LUA_TSTRING;
    if (found)
        gate_out_str(o, gate_str_from_cstr(lua_tostring(co, -1)));
    lua_pop(co, 1);
    return found;
}

void gate_stack_error(lua_State *co, int index, struct gate_out *o)
{
    struct gate_str s;

    switch (lua_type(co, index)) {
    case LUA_TSTRING:
        s.p = lua_tolstring(co, index, &s.n);
        gate_out_put(o, s.p, s.n < o->cap - o->n ? s.n : o->cap - o->n);
        break;
    case LUA_TNUMBER:
        gate_out_fmt(o, "%.14g", lua_tonumber(co, index));
        break;
    case LUA_TBOOLEAN:
        gate_out_fmt(o, "%s", lua_toboolean(co, index) ? "true" : "false");
        break;
    case LUA_TTABLE:
        if (!write_message_of(co, index, o))
            GATE_OUT_LIT(o, "(an error of type table)");
        break;
    default:
        gate_out_fmt(o, "(an error of type %s)", lua_typename(co, lua_type(co, index)));
    }
}
