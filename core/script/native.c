#include "script/native.h"

#include <lauxlib.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/str.h"
#include "script/native_int.h"
#include "script/watch_int.h"

#define RESULTS_MAX 16
#define NAME_MAX_LEN 200
/* What a VM keeps of the room for texts from one call to the next. */
#define TEXT_KEPT (64u * 1024)

struct module {
    struct gate_list node;
    char *name;
    size_t n;
    struct gate_module_function functions[]; /* with names of its own */
};

struct gate_natives {
    pthread_mutex_t lock; /* of the list */
    struct gate_list modules;
};

struct result {
    enum gate_type type;
    double number; /* of a boolean, too */
    size_t at;     /* of a string, in the call's text */
    size_t n;
};

/* Lives on the stack of one call. What the function does to it cannot raise: errors of Lua unwind,
 * and there are frames in between that are not ours. */
struct gate_call {
    lua_State *L;
    struct gate_native_text *text;
    int n_args;
    int n_results;
    bool failed;
    char message[256];
    struct result results[RESULTS_MAX];
};

/* Modules */

struct gate_natives *gate_natives_new(void)
{
    struct gate_natives *natives = gate_calloc(1, sizeof(*natives));

    pthread_mutex_init(&natives->lock, NULL);
    gate_list_init(&natives->modules);
    return natives;
}

static void module_free(struct module *m)
{
    for (size_t i = 0; i < m->n; i++)
        gate_free((char *)m->functions[i].name);
    gate_free(m->name);
    gate_free(m);
}

void gate_natives_free(struct gate_natives **natives)
{
    struct gate_natives *x = *natives;
    struct gate_list *n;

    *natives = NULL;
    if (x == NULL)
        return;
    while ((n = gate_list_pop(&x->modules)) != NULL)
        module_free(gate_container_of(n, struct module, node));
    pthread_mutex_destroy(&x->lock);
    gate_free(x);
}

static bool is_word(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool letter = (gate_lower(s[i]) >= 'a' && gate_lower(s[i]) <= 'z') || s[i] == '_';

        if (!letter && (i == 0 || s[i] < '0' || s[i] > '9'))
            return false;
    }
    return n > 0;
}

/* Words with single dots between them, not of the library's own. */
static bool is_module_name(const char *name)
{
    const char *word = name;

    if (strcmp(name, "moongate") == 0 || strncmp(name, "moongate.", 9) == 0 ||
        strlen(name) > NAME_MAX_LEN)
        return false;
    while (is_word(word, strcspn(word, "."))) {
        word += strcspn(word, ".");
        if (*word == '\0')
            return true;
        word++;
    }
    return false;
}

static struct module *find_locked(const struct gate_natives *natives, const char *name)
{
    for (struct gate_list *n = natives->modules.next; n != &natives->modules; n = n->next) {
        struct module *m = gate_container_of(n, struct module, node);

        if (strcmp(m->name, name) == 0)
            return m;
    }
    return NULL;
}

static struct module *module_new(const char *name, const struct gate_module_function *functions,
                                 size_t n)
{
    struct module *m = gate_calloc(1, sizeof(*m) + n * sizeof(m->functions[0]));

    gate_list_init(&m->node);
    m->name = gate_strdup(name);
    m->n = n;
    for (size_t i = 0; i < n; i++) {
        m->functions[i] = functions[i];
        m->functions[i].name = gate_strdup(functions[i].name);
    }
    return m;
}

enum gate_err gate_natives_add(struct gate_natives *natives, const char *name,
                               const struct gate_module_function *functions, size_t n)
{
    enum gate_err err = GATE_E_EXISTS;

    if (!is_module_name(name))
        return GATE_E_INVALID;
    for (size_t i = 0; i < n; i++) {
        const char *word = functions[i].name;

        if (word == NULL || !is_word(word, strlen(word)) || functions[i].call == NULL)
            return GATE_E_INVALID;
    }
    pthread_mutex_lock(&natives->lock);
    if (find_locked(natives, name) == NULL) {
        gate_list_push(&natives->modules, &module_new(name, functions, n)->node);
        err = GATE_OK;
    }
    pthread_mutex_unlock(&natives->lock);
    return err;
}

/* Calls */

void gate_native_text_fini(struct gate_native_text *t)
{
    gate_free(t->p);
    *t = (struct gate_native_text){ .p = NULL };
}

static char *reserve(struct gate_native_text *t, size_t n)
{
    size_t cap = t->cap * 2 > t->n + n ? t->cap * 2 : t->n + n + 256;
    char *p;

    if (t->cap - t->n >= n && t->p != NULL)
        return t->p + t->n;
    p = gate_try_alloc(cap);
    if (p == NULL)
        return NULL;
    if (t->n > 0)
        memcpy(p, t->p, t->n);
    gate_free(t->p);
    t->p = p;
    t->cap = cap;
    return p + t->n;
}

GATE_LUA_THROWS static void push_result(struct gate_call *c, const struct result *r)
{
    switch (r->type) {
    case GATE_TYPE_BOOLEAN:
        lua_pushboolean(c->L, r->number != 0);
        break;
    case GATE_TYPE_NUMBER:
        lua_pushnumber(c->L, r->number);
        break;
    case GATE_TYPE_STRING:
        lua_pushlstring(c->L, c->text->p + r->at, r->n);
        break;
    default:
        lua_pushnil(c->L);
        break;
    }
}

GATE_LUA_THROWS static int on_call(lua_State *L)
{
    const struct gate_module_function *f = lua_touserdata(L, lua_upvalueindex(1));
    struct gate_call c = { .L = L, .text = lua_touserdata(L, lua_upvalueindex(2)) };

    c.n_args = lua_gettop(L);
    c.text->n = 0;
    if (c.text->cap > TEXT_KEPT)
        gate_native_text_fini(c.text);
    f->call(&c, f->arg);
    if (c.failed) {
        luaL_where(L, 1);
        lua_pushstring(L, c.message);
        lua_concat(L, 2);
        return lua_error(L);
    }
    luaL_checkstack(L, RESULTS_MAX, "too many results");
    for (int i = 0; i < c.n_results; i++)
        push_result(&c, &c.results[i]);
    return c.n_results;
}

GATE_LUA_THROWS bool gate_natives_push(const struct gate_natives *natives, lua_State *L,
                                       const char *name, struct gate_native_text *text)
{
    struct gate_natives *x = (struct gate_natives *)natives;
    const struct module *m;

    if (natives == NULL)
        return false;
    /* Modules stay: only the list needs the lock, and nothing may raise inside. */
    pthread_mutex_lock(&x->lock);
    m = find_locked(natives, name);
    pthread_mutex_unlock(&x->lock);
    if (m == NULL)
        return false;
    lua_createtable(L, 0, (int)m->n);
    for (size_t i = 0; i < m->n; i++) {
        lua_pushlightuserdata(L, (void *)&m->functions[i]);
        lua_pushlightuserdata(L, text);
        lua_pushcclosure(L, on_call, 2);
        lua_setfield(L, -2, m->functions[i].name);
    }
    return true;
}

/* What functions ask of their call */

int gate_arg_count(const struct gate_call *c)
{
    return c->n_args;
}

enum gate_type gate_arg_type(const struct gate_call *c, int i)
{
    if (i < 1 || i > c->n_args)
        return GATE_TYPE_NONE;
    switch (lua_type(c->L, i)) {
    case LUA_TNIL:
        return GATE_TYPE_NIL;
    case LUA_TBOOLEAN:
        return GATE_TYPE_BOOLEAN;
    case LUA_TNUMBER:
        return GATE_TYPE_NUMBER;
    case LUA_TSTRING:
        return GATE_TYPE_STRING;
    default:
        return GATE_TYPE_OTHER;
    }
}

void gate_fail(struct gate_call *c, const char *message)
{
    if (c->failed)
        return;
    c->failed = true;
    snprintf(c->message, sizeof(c->message), "%s", message);
}

/* Whether the argument is of the type; else the call has failed. */
static bool is_type(struct gate_call *c, int i, enum gate_type type)
{
    static const char *const names[] = { "nothing", "nil", "a boolean", "a number", "a string",
                                         "something else" };
    enum gate_type given = gate_arg_type(c, i);
    char text[100];

    if (given == type)
        return true;
    snprintf(text, sizeof(text), "argument %d: %s was expected, not %s", i, names[type],
             given == GATE_TYPE_OTHER ? lua_typename(c->L, lua_type(c->L, i)) : names[given]);
    gate_fail(c, text);
    return false;
}

bool gate_arg_boolean(struct gate_call *c, int i)
{
    return is_type(c, i, GATE_TYPE_BOOLEAN) && lua_toboolean(c->L, i);
}

double gate_arg_number(struct gate_call *c, int i)
{
    return is_type(c, i, GATE_TYPE_NUMBER) ? lua_tonumber(c->L, i) : 0;
}

const char *gate_arg_string(struct gate_call *c, int i, size_t *n)
{
    size_t unused;

    if (n == NULL)
        n = &unused;
    if (is_type(c, i, GATE_TYPE_STRING))
        return lua_tolstring(c->L, i, n);
    *n = 0;
    return "";
}

static void add_result(struct gate_call *c, struct result r)
{
    if (c->n_results == RESULTS_MAX)
        gate_fail(c, "the function gives more than 16 results");
    else
        c->results[c->n_results++] = r;
}

void gate_return_nil(struct gate_call *c)
{
    add_result(c, (struct result){ .type = GATE_TYPE_NIL });
}

void gate_return_boolean(struct gate_call *c, bool value)
{
    add_result(c, (struct result){ .type = GATE_TYPE_BOOLEAN, .number = value });
}

void gate_return_number(struct gate_call *c, double value)
{
    add_result(c, (struct result){ .type = GATE_TYPE_NUMBER, .number = value });
}

void gate_return_string(struct gate_call *c, const void *bytes, size_t n)
{
    struct gate_native_text *t = c->text;
    char *p = reserve(t, n);

    if (p == NULL) {
        gate_fail(c, "not enough memory");
        return;
    }
    if (n > 0)
        memcpy(p, bytes, n);
    add_result(c, (struct result){ .type = GATE_TYPE_STRING, .at = t->n, .n = n });
    t->n += n;
}
