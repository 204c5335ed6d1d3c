#include <stdio.h>

#include "admin/report.h"
#include "run/cli.h"
#include "run/explain.h"

static void hide(const void *vm, struct gate_str text, struct gate_out *to)
{
    gate_vm_hide(vm, text, to);
}

static int show(const struct gate_options *o, const struct gate_loaded *l)
{
    struct gate_report_hide h = { hide, l->vm };

    if (o->method != NULL)
        return gate_explain(l->config, l->router, &h, o->method, o->url, stdout) ? 0 : 1;
    gate_report_routes(l->config, l->router, NULL, &h, !o->json, stdout);
    return 0;
}

int gate_cli_routes(const struct gate_options *o)
{
    struct gate_bundle *bundle = NULL;
    struct gate_load_errors errors;
    struct gate_loaded loaded;
    int status = 1;

    if (o->live)
        return gate_cli_live_routes(o);
    gate_load_errors_init(&errors);
    if (gate_cli_load(o, false, &bundle, &loaded, &errors) != GATE_OK) {
        gate_load_errors_text(&errors, stderr);
    } else {
        status = show(o, &loaded);
        gate_loaded_fini(&loaded);
        gate_bundle_free(&bundle);
    }
    gate_load_errors_fini(&errors);
    return status;
}
