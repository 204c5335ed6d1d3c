/* `fetch` of shared dictionaries: one task makes a value, the others wait. A task's seat is
 * something that it holds: however the task ends, the seat is given back, and another goes on. */
#include "base/mem.h"
#include "script/ffi_int.h"

struct seat {
    struct gate_task_hold hold;
    struct gate_task *task;
    struct gate_flight_seat *flight;
    const struct gate_dict *dict;
    char *key;
    uint32_t key_n;
};

static void release(struct gate_task_hold *h)
{
    struct seat *s = gate_container_of(h, struct seat, hold);

    if (s->flight != NULL)
        gate_flight_leave(&s->flight);
    gate_free(s->key);
    gate_free(s);
}

static void give_back(struct seat *s)
{
    gate_list_remove(&s->hold.node);
    release(&s->hold);
}

/* The wait was given up, for one that could not yield. */
static void on_cancel(struct gate_wait *w)
{
    struct seat *s = w->user;

    w->user = NULL;
    give_back(s);
}

static void on_called(struct gate_flight_seat *flight, void *arg)
{
    struct seat *s = arg;

    (void)flight;
    if (s->task->wait.user == s)
        gate_wait_wake(&s->task->wait, GATE_OK);
}

static struct seat *find(struct gate_vm *vm, int32_t dict, const char *key, uint32_t key_n)
{
    struct gate_task *t = vm->task;

    if (t == NULL || (uint32_t)dict >= vm->n_dicts)
        return NULL;
    for (struct gate_list *n = t->holds.next; n != &t->holds; n = n->next) {
        struct gate_task_hold *h = gate_container_of(n, struct gate_task_hold, node);
        struct seat *s = gate_container_of(h, struct seat, hold);

        if (h->release == release && s->dict == vm->dicts[dict] && s->key_n == key_n &&
            memcmp(s->key, key, key_n) == 0)
            return s;
    }
    return NULL;
}

static struct seat *sit_down(struct gate_vm *vm, struct gate_dict *d, const char *key,
                             uint32_t key_n)
{
    struct gate_dict_key k = gate_dict_key(d, key, key_n);
    struct seat *s = gate_calloc(1, sizeof(*s));

    s->hold.release = release;
    s->task = vm->task;
    s->dict = d;
    s->key = gate_memdup(key, key_n);
    s->key_n = key_n;
    gate_list_push(&vm->task->holds, &s->hold.node);
    s->flight = gate_flight_join(gate_shared_flights(vm->shared), d, &k, &vm->worker->mail,
                                 on_called, s);
    return s;
}

int gate_ffi_dict_join(struct gate_vm *vm, int32_t dict, const char *key, uint32_t key_n)
{
    struct gate_task *t = vm->task;
    struct seat *s;

    if (t == NULL || (uint32_t)dict >= vm->n_dicts)
        return GATE_FFI_WHERE;
    if (find(vm, dict, key, key_n) != NULL)
        return gate_ffi_fail(vm, GATE_FFI_INVALID, "the function waits for its own result");
    s = sit_down(vm, vm->dicts[dict], key, key_n);
    if (gate_flight_leads(s->flight))
        return GATE_DICT_LEAD;
    gate_wait_cancel(&t->wait);
    gate_wait_arm(&t->wait, 0, on_cancel);
    t->wait.user = s;
    return GATE_FFI_NO;
}

/* The seat goes, the strings stay in the VM's own buffer. */
static int leave_result(struct gate_vm *vm, struct seat *s, const struct gate_flight_result *r)
{
    struct gate_dict_buffer *b = &vm->dict_text;
    size_t n = r->value.text.n + r->code.n + r->why.n;
    int kind = (int)r->value.kind;

    if (b->cap < n) {
        b->p = gate_realloc(b->p, n);
        b->cap = (uint32_t)n;
    }
    if (kind == GATE_DICT_NUMBER)
        vm->io.number = r->value.number;
    vm->io.p = b->p;
    if (kind == GATE_DICT_STRING) {
        vm->io.n = (uint32_t)r->value.text.n;
        memcpy(b->p, r->value.text.p, r->value.text.n);
    } else if (kind == GATE_DICT_NONE && r->code.n > 0) {
        kind = GATE_DICT_FAILED;
        vm->io.n = (uint32_t)r->code.n;
        vm->io.p2 = b->p + r->code.n;
        vm->io.n2 = (uint32_t)r->why.n;
        memcpy(b->p, r->code.p, r->code.n);
        memcpy(b->p + r->code.n, r->why.p, r->why.n);
    }
    give_back(s);
    return kind;
}

int gate_ffi_dict_joined(struct gate_vm *vm, int32_t dict, const char *key, uint32_t key_n)
{
    struct seat *s = find(vm, dict, key, key_n);
    const struct gate_flight_result *r;

    if (s == NULL)
        return GATE_FFI_WHERE;
    r = gate_flight_result(s->flight);
    if (r != NULL)
        return leave_result(vm, s, r);
    return gate_flight_leads(s->flight) ? GATE_DICT_LEAD : GATE_FFI_WHERE;
}

int gate_ffi_dict_land(struct gate_vm *vm, int32_t dict, const char *key, uint32_t key_n,
                       int kind, double number, const char *text, uint32_t text_n,
                       const char *code, uint32_t code_n)
{
    struct seat *s = find(vm, dict, key, key_n);
    struct gate_str string = gate_str_of(text, text_n);
    struct gate_flight_result r = {
        .value = { .kind = (enum gate_dict_kind)kind, .number = number },
        .code = gate_str_of(code, code_n),
    };

    if (s == NULL || !gate_flight_leads(s->flight))
        return GATE_FFI_WHERE;
    if (kind == GATE_DICT_STRING)
        r.value.text = string;
    else if (kind == GATE_DICT_NONE)
        r.why = string;
    gate_flight_land(&s->flight, &r);
    give_back(s);
    return GATE_FFI_YES;
}

int gate_ffi_dict_leave(struct gate_vm *vm, int32_t dict, const char *key, uint32_t key_n)
{
    struct seat *s = find(vm, dict, key, key_n);

    if (s == NULL)
        return GATE_FFI_WHERE;
    give_back(s);
    return GATE_FFI_YES;
}
