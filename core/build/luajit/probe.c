/* Can this LuaJIT be trusted with other people's scripts? One line per missing ability, exit 1. */
#include <lauxlib.h>
#include <lua.h>
#include <luajit.h>
#include <lualib.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { AFTER_MS = 20, GIVE_UP_S = 3 };

static lua_State *volatile running;
static const char *volatile trying;
static pthread_t worker;

static long now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000L + t.tv_nsec / 1000000L;
}

static void on_hook(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    luaL_error(L, "stopped");
}

/* As the real watchdog does it: the hook is set on the thread that runs the script. */
static void on_signal(int sig)
{
    (void)sig;
    if (running)
        lua_sethook(running, on_hook, LUA_MASKCOUNT, 1);
}

static void *watch(void *unused)
{
    struct timespec wait = {0, AFTER_MS * 1000000L};
    nanosleep(&wait, NULL);
    pthread_kill(worker, SIGUSR1);
    return unused;
}

/* What cannot be stopped cannot be waited for either. */
static void on_alarm(int sig)
{
    (void)sig;
    static const char text[] = "  a hook does not end: ";
    ssize_t ignored = write(1, text, sizeof text - 1);
    ignored = write(1, (const char *)trying, strlen((const char *)trying));
    ignored = write(1, "\n", 1);
    (void)ignored;
    _exit(1);
}

/* True when `code`, which never ends, ends soon after the hook was set. */
static int check_stops(lua_State *L, const char *name, const char *code)
{
    pthread_t watcher;
    trying = name;
    if (luaL_loadstring(L, code)) {
        printf("  %s: %s\n", name, lua_tostring(L, -1));
        return 0;
    }
    alarm(GIVE_UP_S);
    running = L;
    long began = now_ms();
    pthread_create(&watcher, NULL, watch, NULL);
    int status = lua_pcall(L, 0, 0, 0);
    running = NULL;
    pthread_join(watcher, NULL);
    lua_sethook(L, NULL, 0, 0);
    alarm(0);
    long took = now_ms() - began;
    if (status == 0 || took > AFTER_MS + 500) {
        printf("  a hook ends too late or not at all: %s (%ld ms)\n", name, took);
        return 0;
    }
    lua_settop(L, 0);
    return 1;
}

static int check_true(lua_State *L, const char *what, const char *code)
{
    trying = what;
    alarm(GIVE_UP_S);
    int ok = luaL_dostring(L, code) == 0 && lua_toboolean(L, -1);
    alarm(0);
    if (!ok)
        printf("  missing: %s\n", what);
    lua_settop(L, 0);
    return ok;
}

int main(void)
{
    struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &act, NULL);
    signal(SIGALRM, on_alarm);
    setvbuf(stdout, NULL, _IONBF, 0);
    worker = pthread_self();
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    int ok = 1;
    ok &= check_true(L, "64-bit objects (GC64)", "return require('ffi').abi('gc64')");
    ok &= check_true(L, "string.buffer", "return require('string.buffer').new() ~= nil");
    ok &= check_true(L, "table.new, table.clear",
                     "return require('table.new') and require('table.clear') and true");
    ok &= check_true(L, "the JIT compiler", "return (jit.status())");
    /* Without our patch a compiled pairs() loop never ends: its trace takes the hook's check for its body. */
    ok &= check_true(L, "pairs() in compiled code",
                     "local t, n = {}, 0 for i = 1, 300 do t['k' .. i] = i end\n"
                     "for _ in pairs(t) do n = n + 1 end return n == 300");
    ok &= check_stops(L, "a compiled empty loop", "while true do end");
    ok &= check_stops(L, "a compiled loop under pcall",
                      "local x = 0 while true do pcall(function() x = x + 1 end) end");
    ok &= check_stops(L, "a catastrophic pattern", "return ('a'):rep(300):find('a*a*a*a*a*a*b')");
    ok &= check_stops(L, "a long pattern set",
                      "return ('a'):rep(4e6):find('[' .. ('b'):rep(1e6) .. 'a]*c')");
    ok &= check_true(L, "plain search in linear time",
                     "local s, p = ('a'):rep(2^20), ('a'):rep(2^19) .. 'b'\n"
                     "local t = os.clock() s:find(p, 1, true) return os.clock() - t < 0.1");
    lua_close(L);
    return ok ? 0 : 1;
}
