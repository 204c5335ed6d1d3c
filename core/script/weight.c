#include "script/weight_int.h"

#include <lauxlib.h>
#include <string.h>

#include "base/mem.h"
#include "script/stack_int.h"

#define SEEN_SLOTS 32768u
#define SEEN_MAX   (SEEN_SLOTS / 3 * 2)
#define DEPTH_MAX  200
#define FRAMES_MAX 200
#define SAMPLES    32u

/* Bytes that LuaJIT takes, about: of any object, of a slot in a table's array, of a field. */
#define OBJECT_SIZE 48u
#define SLOT_SIZE   8u
#define FIELD_SIZE  32u

static uint64_t weigh(struct gate_weights *w, int depth);

void gate_weights_init(struct gate_weights *w, lua_State *L)
{
    memset(w, 0, sizeof(*w));
    w->L = L;
    w->seen = gate_calloc(SEEN_SLOTS, sizeof(*w->seen));
    lua_checkstack(L, 4 * DEPTH_MAX + LUA_MINSTACK);
}

void gate_weights_fini(struct gate_weights *w)
{
    gate_free(w->seen);
}

void gate_weights_allow(struct gate_weights *w, uint32_t steps)
{
    w->left = steps;
    w->cut = false;
}

static bool spend(struct gate_weights *w, uint32_t steps)
{
    if (w->left < steps) {
        w->left = 0;
        w->cut = true;
        return false;
    }
    w->left -= steps;
    return true;
}

/* True: it had not been seen. */
static bool see(struct gate_weights *w, const void *p)
{
    uint32_t i = (uint32_t)((uintptr_t)p * 0x9e3779b97f4a7c15ull >> 32) % SEEN_SLOTS;

    while (w->seen[i] != NULL) {
        if (w->seen[i] == p)
            return false;
        i = (i + 1) % SEEN_SLOTS;
    }
    if (w->n_seen == SEEN_MAX) {
        w->cut = true;
        return false;
    }
    w->n_seen++;
    w->seen[i] = p;
    return true;
}

/* Of the array of the table on top: its slots, and a sample of what is in them. */
static uint64_t weigh_array(struct gate_weights *w, size_t n, int depth)
{
    size_t stride = n > SAMPLES ? n / SAMPLES : 1, looked = 0;
    uint64_t sum = 0;

    for (size_t i = 1; i <= n && looked < SAMPLES; i += stride, looked++) {
        lua_rawgeti(w->L, -1, (int)i);
        sum += weigh(w, depth);
    }
    return n * SLOT_SIZE + (looked == 0 ? 0 : sum * n / looked);
}

/* Of the fields behind its array, in the same way. */
static uint64_t weigh_fields(struct gate_weights *w, size_t array, int depth)
{
    uint64_t sum = 0, n = 0, looked = 0;

    if (array == 0)
        lua_pushnil(w->L);
    else
        lua_pushnumber(w->L, (lua_Number)array);
    while (lua_next(w->L, -2) != 0) {
        n++;
        if (!spend(w, 1)) {
            lua_pop(w->L, 2);
            break;
        }
        if (looked == SAMPLES) {
            lua_pop(w->L, 1);
            continue;
        }
        looked++;
        sum += weigh(w, depth);
        lua_pushvalue(w->L, -1);
        sum += weigh(w, depth);
    }
    return n * FIELD_SIZE + (looked == 0 ? 0 : sum * n / looked);
}

static uint64_t weigh_table(struct gate_weights *w, int depth)
{
    size_t array = lua_objlen(w->L, -1);
    uint64_t slots = weigh_array(w, array, depth);

    return OBJECT_SIZE + slots + weigh_fields(w, array, depth);
}

/* What functions of the library share is everybody's; but one of them may hold a coroutine. */
static uint64_t weigh_function(struct gate_weights *w, int depth)
{
    uint64_t sum = OBJECT_SIZE;
    lua_Debug ar;
    bool own;

    lua_pushvalue(w->L, -1);
    lua_getinfo(w->L, ">S", &ar);
    own = gate_stack_is_script(&ar);
    for (int i = 1; lua_getupvalue(w->L, -1, i) != NULL; i++) {
        if (own || lua_isthread(w->L, -1))
            sum += weigh(w, depth);
        else
            lua_pop(w->L, 1);
    }
    return sum;
}

/* Slots behind a function's variables, and those of its loops, may hold what is no value of Lua. */
static bool is_variable(const char *name)
{
    return name[0] != '(' || strcmp(name, "(*vararg)") == 0;
}

/* The variables of a frame; with step -1 what `...` stands for. */
static uint64_t weigh_frame(struct gate_weights *w, lua_State *co, lua_Debug *ar, int step,
                            int depth)
{
    uint64_t sum = 0;
    const char *name;

    for (int i = step; spend(w, 1) && (name = lua_getlocal(co, ar, i)) != NULL; i += step) {
        if (!is_variable(name)) {
            lua_pop(co, 1);
            if (strcmp(name, "(*temporary)") == 0)
                break;
            continue;
        }
        lua_xmove(co, w->L, 1);
        sum += weigh(w, depth);
    }
    return sum;
}

static uint64_t weigh_coroutine(struct gate_weights *w, lua_State *co, int depth)
{
    uint64_t sum = OBJECT_SIZE;
    lua_Debug ar;

    for (int level = 0; level < FRAMES_MAX && lua_getstack(co, level, &ar); level++) {
        sum += weigh_frame(w, co, &ar, 1, depth);
        sum += weigh_frame(w, co, &ar, -1, depth);
    }
    return sum;
}

static uint64_t weigh_object(struct gate_weights *w, int depth)
{
    switch (lua_type(w->L, -1)) {
    case LUA_TTABLE:
        return weigh_table(w, depth);
    case LUA_TFUNCTION:
        return weigh_function(w, depth);
    case LUA_TTHREAD:
        return weigh_coroutine(w, lua_tothread(w->L, -1), depth);
    case LUA_TSTRING:
    case LUA_TUSERDATA:
        return OBJECT_SIZE + lua_objlen(w->L, -1);
    default: /* cdata */
        return OBJECT_SIZE;
    }
}

static bool is_object(lua_State *L)
{
    return lua_type(L, -1) >= LUA_TSTRING;
}

/* Pops the value on top. */
static uint64_t weigh(struct gate_weights *w, int depth)
{
    uint64_t sum = 0;

    if (is_object(w->L) && see(w, lua_topointer(w->L, -1))) {
        if (depth == DEPTH_MAX)
            w->cut = true;
        else if (spend(w, GATE_WEIGHT_OBJECT))
            sum = weigh_object(w, depth + 1);
    }
    lua_pop(w->L, 1);
    return sum;
}

uint64_t gate_weights_coroutine(struct gate_weights *w, lua_State *co)
{
    return see(w, co) ? weigh_coroutine(w, co, 0) : 0;
}

uint64_t gate_weights_value(struct gate_weights *w)
{
    return weigh(w, 0);
}
