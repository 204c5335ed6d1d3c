#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "run/canary.h"
#include "run/reload_int.h"
#include "run/source.h"
#include "run/watcher.h"

/* So many names of upstreams more than twice those of a configuration, and its VMs begin anew. */
#define NAMES_SPARE 1000

/* A load, first or later: read the files (or take a kept bundle), run them once, compile; run them
 * once for each further worker and compare; listen; resolve; publish. Whatever fails before the
 * publishing changes nothing. */

static void take_made(struct gate_reload *r);
static void on_first_built(void *arg);
static void on_rest_built(void *arg);

static void reload_free(struct gate_reload **reload)
{
    struct gate_reload *r = *reload;

    *reload = NULL;
    gate_builder_free(&r->builder);
    gate_bury(r->engine, &r->loaded.vm);
    gate_loaded_fini(&r->loaded);
    gate_live_free(&r->live);
    gate_made_free(&r->wish.made);
    if (r->bundle != NULL)
        gate_bundle_free(&r->bundle);
    gate_load_errors_fini(&r->errors);
    gate_free(r->fresh);
    gate_free(r);
}

static void answer(struct gate_reload *r, int status, const char *text)
{
    gate_wish_answer(r->engine, &r->wish, status, text);
}

/* Files */

static void on_files_changed(void *engine)
{
    gate_reload_begin(engine, GATE_RELOAD_WATCH, NULL);
}

static void watch_path(void *watcher, const char *path)
{
    gate_watcher_add(watcher, path);
}

/* A change between reading and watching is seen here. */
void gate_reload_watch_tried(struct gate_engine *e, struct gate_bundle *tried)
{
    if (e->watcher == NULL || tried == NULL)
        return;
    gate_watcher_begin(e->watcher);
    gate_bundle_each_path(e->current->bundle, watch_path, e->watcher);
    gate_bundle_each_path(tried, watch_path, e->watcher);
    gate_watcher_end(e->watcher);
    if (gate_bundle_stale(tried))
        gate_watcher_touch(e->watcher);
}

void gate_reload_watch(struct gate_engine *e)
{
    if (e->options->no_watch)
        return;
    if (gate_watcher_open(&e->loop, &e->log, on_files_changed, e, &e->watcher) != GATE_OK)
        gate_logf(&e->log, GATE_LOG_WARN, "files are not watched: %s", strerror(errno));
    gate_reload_watch_tried(e, e->current->bundle);
}

/* The end of a load */

/* The next one, when it was asked for meanwhile. */
void gate_reload_finish(struct gate_engine *e)
{
    struct gate_reload_wish next = e->next;
    bool has_next = e->has_next;

    reload_free(&e->reload);
    gate_memory_settle(e);
    e->has_next = false;
    if (has_next)
        gate_wish_grant(e, &next);
}

void gate_reload_note(struct gate_engine *e, char *error)
{
    e->reloads++;
    e->reloads_failed += error != NULL;
    e->reload_s = gate_clock_wall_ns(&e->clock) / (int64_t)GATE_SEC;
    free(e->reload_error);
    e->reload_error = error;
}

/* The first load failed: the process says why and ends. */
static void fail_first(struct gate_reload *r, char *text)
{
    struct gate_engine *e = r->engine;

    fprintf(stderr, "%s%s", r->cannot_listen ? "moongate: " : "", text);
    free(text);
    e->status = r->cannot_listen ? 2 : 1;
    reload_free(&e->reload);
    gate_control_quit(e);
}

/* What served cannot be loaded any more, though it was: a file that it needs is gone, which is no
 * part of it. Takes over the text. */
static void fall_back(struct gate_reload *r, char *text)
{
    struct gate_reload_wish start = { .why = GATE_RELOAD_START };
    struct gate_engine *e = r->engine;

    gate_logf(&e->log, GATE_LOG_ERROR,
              "generation %llu cannot serve again, and the files are read: %.*s",
              (unsigned long long)r->wish.as, (int)strcspn(text, "\n"), text);
    free(text);
    e->heir.present = false;
    reload_free(&e->reload);
    gate_reload_start(e, &start);
}

static char *errors_text(const struct gate_load_errors *errors)
{
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);

    if (f == NULL)
        abort();
    gate_load_errors_text(errors, f);
    fclose(f);
    return text;
}

static void log_refusal(const struct gate_reload *r, const char *text)
{
    struct gate_engine *e = r->engine;
    char goes_on[64] = "", more[64] = "";

    if (e->current != NULL)
        snprintf(goes_on, sizeof(goes_on), ", generation %llu goes on",
                 (unsigned long long)e->current->g.number);
    if (r->errors.n > 1)
        snprintf(more, sizeof(more), " (and %u more: see moongate generations)", r->errors.n - 1);
    gate_logf(&e->log, GATE_LOG_ERROR, "%s refused%s: %.*s%s", gate_wish_name(r->wish.why),
              goes_on, (int)strcspn(text, "\n"), text, more);
}

/* Not those of a first load: to a supervisor they are not new, and clients may wait there for an
 * engine that does better. */
static void forget_fresh(struct gate_reload *r)
{
    for (uint32_t i = 0; i < r->n_fresh; i++)
        gate_broker_forget(r->engine->broker, &r->fresh[i]);
    r->n_fresh = 0;
}

void gate_reload_fail(struct gate_reload *r)
{
    struct gate_engine *e = r->engine;
    char *text = errors_text(&r->errors);

    if (r->wish.why == GATE_RELOAD_HEIR && !e->draining) {
        fall_back(r, text);
        return;
    }
    if (r->first && e->host == NULL) {
        fail_first(r, text);
        return;
    }
    forget_fresh(r);
    log_refusal(r, text);
    answer(r, 422, text);
    if (r->wish.why == GATE_RELOAD_RENEW)
        free(text);
    else
        gate_reload_note(e, text);
    if (e->host != NULL)
        e->host->refused(e->host, &r->errors);
    if (!gate_reload_brings_back(r))
        gate_reload_watch_tried(e, r->live != NULL ? r->live->bundle : r->bundle);
    gate_reload_finish(e);
}

void gate_reload_fail_with(struct gate_reload *r, const char *message)
{
    gate_load_errors_add(&r->errors, GATE_STR_NONE, 0, message);
    gate_reload_fail(r);
}

static bool has_same_bundle(const struct gate_reload *r)
{
    return gate_bundle_hash(r->bundle) == r->engine->current->g.hash;
}

/* The files were touched, but what they say serves already (their certificates too), or is on
 * trial, or was given up. */
static bool is_known(const struct gate_reload *r)
{
    const struct gate_live *now = r->engine->current;

    if (r->wish.why != GATE_RELOAD_WATCH)
        return false;
    if (!has_same_bundle(r))
        return gate_given_up_find(r->engine, gate_bundle_hash(r->bundle)) != NULL;
    return gate_load_tls_hash(r->loaded.tls, r->loaded.clients, r->loaded.config) ==
           gate_load_tls_hash(now->tls, now->g.clients, now->g.config);
}

static void drop_known(struct gate_reload *r)
{
    struct gate_engine *e = r->engine;
    const struct gate_given_up *g = gate_given_up_find(e, gate_bundle_hash(r->bundle));

    if (!has_same_bundle(r))
        gate_logf(&e->log, GATE_LOG_WARN, "the files were touched, and are those %s (generation "
                  "%llu); a plain reload lets them serve",
                  g->why == GATE_GIVEN_UP_CANARY ? "of the canary" : "that a rollback left",
                  (unsigned long long)g->number);
    else if (!gate_canary_withdraw(e, "the files are again what serves") && e->reload_error != NULL)
        gate_logf(&e->log, GATE_LOG_INFO, "the files are again what generation %llu serves",
                  (unsigned long long)e->current->g.number);
    free(e->reload_error);
    e->reload_error = NULL;
    gate_reload_watch_tried(e, r->bundle);
    gate_reload_finish(e);
}

/* Begin */

static enum gate_err start_builder(struct gate_reload *r, uint32_t n, void (*done)(void *arg))
{
    struct gate_engine *e = r->engine;
    const struct gate_live *renewed = r->wish.why == GATE_RELOAD_RENEW ? e->current : NULL;
    struct gate_builder_options o = {
        .tools = {
            .options = e->options,
            .bundle = r->bundle,
            .log = &e->log,
            .watchdog = e->watchdog,
            .tickets = e->tickets,
            .shared = e->shared,
            .natives = e->host == NULL ? NULL : e->host->natives,
            .clock = &e->clock,
            .renews = renewed == NULL ? NULL : &renewed->g,
            .tls = renewed == NULL ? NULL : renewed->tls,
            .keep = e->broker->lasts,
            .kept = r->wish.why == GATE_RELOAD_HEIR,
        },
        .reply = &e->mail,
        .done = done,
        .arg = r,
        .threads = e->processors,
        .like = done == on_first_built ? NULL : &r->loaded,
    };

    return gate_builder_start(&o, n, &r->builder);
}

/* A bundle that has served. */
static bool take_kept(struct gate_reload *r)
{
    const struct gate_kept *kept = gate_kept_find(r->engine, r->wish.number);

    if (kept == NULL) {
        gate_reload_fail_with(r, r->wish.number == 0
                                     ? "there is no earlier bundle to roll back to"
                                     : "the bundle of that generation is not kept; "
                                       "see moongate generations");
        return false;
    }
    r->bundle = gate_bundle_ref(kept->bundle);
    r->from = kept->number;
    return true;
}

/* What served when the engine before this one died. */
static bool take_left(struct gate_reload *r)
{
    const struct gate_kept *kept = &r->engine->kept[0];

    r->bundle = gate_bundle_ref(kept->bundle);
    r->from = r->engine->heir.from;
    r->wish.as = kept->number;
    return true;
}

static bool take_present(struct gate_reload *r)
{
    const struct gate_live *now = r->engine->current;

    r->bundle = gate_bundle_ref(now->bundle);
    r->from = now->g.number;
    return true;
}

/* The bundle that is to be loaded. False: the load has failed. */
static bool open_bundle(struct gate_reload *r)
{
    struct gate_engine *e = r->engine;
    char why[256], text[400];

    if (r->wish.why == GATE_RELOAD_HEIR)
        return take_left(r);
    if (r->wish.why == GATE_RELOAD_RENEW)
        return take_present(r);
    if (r->wish.why == GATE_RELOAD_ROLLBACK)
        return take_kept(r);
    if (e->watcher != NULL)
        gate_watcher_settle(e->watcher);
    if (gate_source_open(e->options, &r->bundle, why, sizeof(why)) == GATE_OK)
        return true;
    snprintf(text, sizeof(text), "%s: %s", e->name, why);
    gate_reload_fail_with(r, text);
    return false;
}

void gate_reload_start(struct gate_engine *e, const struct gate_reload_wish *wish)
{
    struct gate_reload *r = e->reload = gate_calloc(1, sizeof(*r));

    r->engine = e;
    r->wish = *wish;
    r->first = e->current == NULL;
    gate_load_errors_init(&r->errors);
    if (wish->made != NULL)
        take_made(r);
    else if (open_bundle(r) && start_builder(r, 1, on_first_built) != GATE_OK)
        gate_reload_fail_with(r, "no thread to load with");
}

/* Takes over the errors of a build. */
static void copy_errors(struct gate_reload *r, const struct gate_build *b)
{
    for (uint32_t i = 0; i < b->errors.n; i++)
        gate_load_errors_copy(&r->errors, &b->errors.v[i]);
}

/* VMs */

static void prepare(struct gate_reload *r)
{
    struct gate_engine *e = r->engine;
    struct gate_config *c = r->loaded.config;
    struct gate_bundle *bundle = r->bundle;

    if (c->limits.connections == 0)
        c->limits.connections = gate_reload_connections();
    r->bundle = NULL;
    gate_bundle_freeze(bundle);
    r->live = gate_live_new(e, bundle, &r->loaded);
    r->live->from = r->from;
    if (r->wish.as != 0)
        r->live->g.number = r->wish.as;
    if (r->wish.why == GATE_RELOAD_HEIR)
        gate_heir_age(e, r->live);
    gate_vm_copy_secrets(r->loaded.vm, &r->live->secrets);
    r->live->session_limit = (c->limits.connections + e->n_workers - 1) / e->n_workers;
}

/* Files have changed, but no code, and the code of both has declared the same: the VMs stay. So
 * they do when only certificates are new. */
static bool is_data_only(const struct gate_reload *r)
{
    const struct gate_live *old = r->engine->current;

    if (r->wish.why == GATE_RELOAD_WATCH && has_same_bundle(r) &&
        gate_str_eq(r->loaded.config->text, old->g.config->text))
        return true;
    /* A canary has VMs of its own: what it does there must not be the other's. */
    return old != NULL && r->wish.why != GATE_RELOAD_CANARY && old->code.n > 0 &&
           gate_bundle_hash(r->bundle) != old->g.hash &&
           gate_bundle_code_hash(r->bundle) == gate_bundle_code_hash(old->bundle) &&
           gate_str_eq(gate_vm_code_text(r->loaded.vm), old->code);
}

/* A number that a VM knows an upstream by is never another's: what has gone goes with the VM. */
static bool has_forgotten_much(const struct gate_reload *r)
{
    const struct gate_upstream_names *names = r->engine->current->g.names;

    return names != NULL &&
           names->n > NAMES_SPARE + 2 * (uint64_t)r->loaded.config->n_upstreams;
}

static void keep_code(struct gate_reload *r)
{
    struct gate_str code = gate_vm_code_text(r->loaded.vm);

    r->live->code = gate_str_of(gate_strndup(code.p, code.n), code.n);
}

static void take_first_vm(struct gate_reload *r)
{
    r->live->slots[0].seat.vm = r->loaded.vm;
    r->loaded.vm = NULL;
}

/* The first VM is built, and its configuration. Whether others have to be. */
static bool first_vm(struct gate_reload *r)
{
    struct gate_engine *e = r->engine;
    bool scripted = gate_config_scripted(r->loaded.config);
    bool keeps = is_data_only(r) && !has_forgotten_much(r);

    if (scripted && !keeps && e->n_workers > 1)
        return true;
    prepare(r);
    if (scripted)
        keep_code(r);
    if (keeps)
        gate_live_keep_vms(r->live, e->current);
    else if (scripted)
        take_first_vm(r);
    gate_bury(e, &r->loaded.vm);
    return false;
}

/* All is built: goes on as if by builders of this load. */
static void take_made(struct gate_reload *r)
{
    struct gate_made *made = r->wish.made;
    struct gate_engine *e = r->engine;

    r->bundle = made->bundle;
    r->loaded = made->loaded;
    made->bundle = NULL;
    memset(&made->loaded, 0, sizeof(made->loaded));
    if (r->first && gate_engine_settle(e, r->loaded.config, &r->errors) != GATE_OK) {
        gate_reload_fail(r);
        return;
    }
    if (first_vm(r)) {
        prepare(r);
        keep_code(r);
        take_first_vm(r);
        for (uint32_t i = 1; i < e->n_workers; i++) {
            r->live->slots[i].seat.vm = made->vms[i - 1];
            made->vms[i - 1] = NULL;
        }
    }
    gate_reload_publish(r);
}

static bool has_nothing_to_try(const struct gate_reload *r)
{
    return r->wish.why == GATE_RELOAD_CANARY && has_same_bundle(r);
}

static void on_first_built(void *arg)
{
    struct gate_reload *r = arg;
    struct gate_engine *e = r->engine;
    struct gate_build *b = gate_builder_at(r->builder, 0);
    enum gate_err err = b->err;

    r->loaded = b->loaded;
    memset(&b->loaded, 0, sizeof(b->loaded));
    if (err != GATE_OK)
        copy_errors(r, b);
    gate_builder_free(&r->builder);
    if (err == GATE_OK && !gate_loaded_listens(&r->loaded, r->bundle, &r->errors))
        err = GATE_E_INVALID;
    if (err != GATE_OK) {
        gate_reload_fail(r);
        return;
    }
    if (is_known(r)) {
        drop_known(r);
        return;
    }
    if (has_nothing_to_try(r)) {
        gate_reload_fail_with(r, e->watcher == NULL
                         ? "nothing to try: these files serve already"
                         : "nothing to try: these files serve already. Files are watched, so that "
                           "a save serves at once; with run --no-watch it waits for a canary");
        return;
    }
    if (r->first)
        err = gate_engine_settle(e, r->loaded.config, &r->errors);
    if (err != GATE_OK) {
        r->cannot_listen = err == GATE_E_SYS || err == GATE_E_EXISTS;
        gate_reload_fail(r);
    } else if (!first_vm(r)) {
        gate_reload_publish(r);
    } else if (start_builder(r, e->n_workers - 1, on_rest_built) != GATE_OK) {
        gate_reload_fail_with(r, "no thread to load with");
    }
}

static enum gate_err take_rest(struct gate_reload *r)
{
    for (uint32_t i = 1; i < r->engine->n_workers; i++) {
        struct gate_build *b = gate_builder_at(r->builder, i - 1);

        if (b->err != GATE_OK) {
            copy_errors(r, b);
            return b->err;
        }
    }
    prepare(r);
    keep_code(r);
    take_first_vm(r);
    for (uint32_t i = 1; i < r->engine->n_workers; i++) {
        struct gate_build *b = gate_builder_at(r->builder, i - 1);

        r->live->slots[i].seat.vm = b->loaded.vm;
        b->loaded.vm = NULL;
    }
    return GATE_OK;
}

static void on_rest_built(void *arg)
{
    struct gate_reload *r = arg;
    enum gate_err err = take_rest(r);

    gate_builder_free(&r->builder);
    if (err != GATE_OK)
        gate_reload_fail(r);
    else
        gate_reload_publish(r);
}
