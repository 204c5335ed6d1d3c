/* Tables of the patched LuaJIT: growing one is quick whatever its keys are, and keeps all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <lauxlib.h>
#include <lualib.h>

#define KEYS      9000
#define SAME_BITS 14 /* of a hash: as many as the table of so many keys looks at */
#define MOST_MS   10 /* walks for each key took 34 */

static uint32_t rotate(uint32_t x, int by)
{
    return x << by | x >> (32 - by);
}

/* LuaJIT's hash of a number (lj_tab.h: hashnum). */
static uint32_t hash_of(uint64_t bits)
{
    uint32_t lo = (uint32_t)bits, hi = (uint32_t)(bits >> 32) << 1;

    lo ^= hi;
    hi = rotate(hi, 14);
    lo -= hi;
    hi = rotate(hi, 5);
    hi ^= lo;
    return hi - rotate(lo, 13);
}

/* Numbers that are no integers, and have one place in every table that is not huge. */
static void make_keys(double keys[KEYS])
{
    int n = 0;

    for (uint32_t i = 0; n < KEYS; i++) {
        uint64_t bits = 0x40091234ull << 32 | i;

        if ((hash_of(bits) & ((1u << SAME_BITS) - 1)) == 1)
            memcpy(&keys[n++], &bits, sizeof(bits));
    }
}

static uint64_t cpu_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void test_keys_that_collide(void **state)
{
    static double keys[KEYS];
    lua_State *L = luaL_newstate();
    uint64_t worst = 0;

    (void)state;
    make_keys(keys);
    lua_newtable(L);
    for (int i = 0; i < KEYS; i++) {
        uint64_t begin = cpu_us(), took;

        lua_pushnumber(L, keys[i]);
        lua_pushinteger(L, i);
        lua_rawset(L, -3);
        took = cpu_us() - begin;
        worst = took > worst ? took : worst;
    }
    assert_in_range(worst, 0, MOST_MS * 1000);
    for (int i = 0; i < KEYS; i++) {
        lua_pushnumber(L, keys[i]);
        lua_rawget(L, -2);
        assert_int_equal(lua_tointeger(L, -1), i);
        lua_pop(L, 1);
    }
    lua_close(L);
}

/* Against a list that is searched: tables that grow, shrink and move keys between their parts. */
static const char model[] =
    "math.randomseed(7)\n"
    "local function key()\n"
    "  local r = math.random(6)\n"
    "  return r == 1 and math.random(200) or r == 2 and 's' .. math.random(300)\n"
    "    or r == 3 and math.random(100) + 0.5 or r == 4 and -math.random(50)\n"
    "    or r == 5 and 2 ^ math.random(60) or math.random(2) == 1\n"
    "end\n"
    "for round = 1, 300 do\n"
    "  local t, said, n, seen = {}, {}, 0, 0\n"
    "  for i = 1, 400 do\n"
    "    local k, v = key(), math.random(4) > 1 and i or nil\n"
    "    t[k], said[tostring(k)] = v, { k, v }\n"
    "  end\n"
    "  for _, pair in pairs(said) do\n"
    "    assert(t[pair[1]] == pair[2])\n"
    "    if pair[2] ~= nil then n = n + 1 end\n"
    "  end\n"
    "  for k, v in pairs(t) do\n"
    "    assert(said[tostring(k)][2] == v)\n"
    "    seen = seen + 1\n"
    "  end\n"
    "  assert(seen == n)\n"
    "end\n";

static void test_nothing_is_lost(void **state)
{
    lua_State *L = luaL_newstate();

    (void)state;
    luaL_openlibs(L);
    assert_int_equal(luaL_loadbuffer(L, model, strlen(model), "@model"), 0);
    assert_int_equal(lua_pcall(L, 0, 0, 0), 0);
    lua_close(L);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_that_collide),
        cmocka_unit_test(test_nothing_is_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
