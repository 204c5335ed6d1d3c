/* Route: the route hook, then the table, then the route's own request hooks, then what the route
 * says by itself: a reply, a redirect, a handler. */
#include "flow/flow_int.h"
#include "http/target.h"

static void use_route(struct gate_exchange *x, const struct gate_route_config *route)
{
    x->match.route = route;
    x->route_name = route->name;
    x->flow->routed = true;
    if (route->action == GATE_ACTION_UPSTREAM && !x->upstream_by_hook)
        x->upstream = route->upstream;
}

static void make_query(const struct gate_exchange *x, struct gate_route_query *q)
{
    q->method = x->req.method;
    q->host = x->req.host;
    q->path = x->req.path_text;
    q->query = x->req.query;
    q->headers = &x->req.headers;
}

/* The route hook, where there is one. NEXT: nothing decided, the table follows. */
static enum gate_step_result ask_hook(struct gate_exchange *x)
{
    const struct gate_config *config = gate_flow_config(x);
    const struct gate_hook_verdict *v = &x->flow->verdict;

    if (!(config->global_hooks & (1u << GATE_HOOK_ROUTE)))
        return GATE_STEP_NEXT;
    if (gate_flow_hook(x, GATE_HOOK_ROUTE, GATE_SCOPE_GLOBAL) == GATE_STEP_WAIT)
        return GATE_STEP_WAIT;
    x->flow->hook = GATE_HOOK_NOT_RUN;
    if (v->kind == GATE_VERDICT_ROUTE)
        use_route(x, &config->routes[v->route]);
    else if (v->kind == GATE_VERDICT_UPSTREAM)
        x->flow->routed = true;
    return gate_flow_verdict(x);
}

/* The next candidate after the present one's `when` said no, until one takes the request. */
static enum gate_step_result ask_when(struct gate_exchange *x)
{
    struct gate_route_query q;

    while (x->match.route != NULL && x->match.needs_when) {
        if (gate_flow_ask(x, GATE_ASK_WHEN, GATE_HOOK_ROUTE, GATE_SCOPE_ROUTE) == GATE_STEP_WAIT)
            return GATE_STEP_WAIT;
        x->flow->hook = GATE_HOOK_NOT_RUN;
        if (x->flow->verdict.kind == GATE_VERDICT_FAULT)
            return gate_flow_verdict(x);
        if (x->flow->verdict.truth)
            break;
        make_query(x, &q);
        gate_router_next(x->seat->generation->router, &q, &x->match);
    }
    return GATE_STEP_NEXT;
}

static enum gate_step_result no_route(struct gate_exchange *x)
{
    if (x->upstream_by_hook)
        return GATE_STEP_NEXT;
    if (x->match.allow.n > 0) {
        x->flow->allow = x->match.allow;
        return gate_flow_fail(x, GATE_FAULT_METHOD_NOT_ALLOWED, 0,
                              "no route of this path takes the method");
    }
    return gate_flow_fail(x, GATE_FAULT_NO_ROUTE, 0, "no route matches");
}

static enum gate_step_result check_client(struct gate_exchange *x)
{
    const struct gate_route_config *route = x->match.route;

    if (route == NULL || !route->client_cert || (x->tls != NULL && x->tls->verified))
        return GATE_STEP_NEXT;
    return gate_flow_fail(x, GATE_FAULT_CLIENT_CERT, 0, "the client has shown no good certificate");
}

/* The limit of the request body, known now that the route is. */
static enum gate_step_result check_body(struct gate_exchange *x)
{
    const struct gate_route_config *route = x->match.route;
    bool of_route = route != NULL && route->max_body >= 0;
    int64_t max = of_route ? route->max_body : gate_flow_config(x)->limits.body_bytes;

    if (max < 0 || (!of_route && gate_flow_grpc_lasts(x)))
        return GATE_STEP_NEXT;
    x->up.max = (uint64_t)max;
    if ((x->req.head.framing == GATE_BODY_LENGTH && x->req.head.content_length > (uint64_t)max) ||
        x->up.got > (uint64_t)max)
        return gate_flow_fail(x, GATE_FAULT_TOO_LARGE, 0,
                              of_route ? "the body is larger than the route's max_body"
                                       : "the body is larger than limits.body_bytes");
    return GATE_STEP_NEXT;
}

enum gate_step_result gate_step_route(struct gate_exchange *x)
{
    struct gate_flow_state *f = x->flow;
    struct gate_route_query q;
    enum gate_step_result r = GATE_STEP_NEXT;

    if (!f->routed && !f->table_asked)
        r = ask_hook(x);
    if (r != GATE_STEP_NEXT)
        return r;
    if (!f->routed) {
        if (!f->table_asked) {
            f->table_asked = true;
            make_query(x, &q);
            gate_router_find(x->seat->generation->router, &q, &x->arena, &x->match);
            x->req.path_set = false; /* what a script made of the path was routed */
        }
        r = ask_when(x);
        if (r != GATE_STEP_NEXT)
            return r;
        if (x->match.route == NULL)
            r = no_route(x);
        else
            use_route(x, x->match.route);
    }
    if (r == GATE_STEP_NEXT)
        r = check_client(x);
    if (r == GATE_STEP_NEXT)
        r = check_body(x);
    GATE_TRACE(x, "route", "%.*s", (int)x->route_name.n,
               x->route_name.n > 0 ? x->route_name.p : "");
    return r;
}

enum gate_step_result gate_step_route_hooks(struct gate_exchange *x)
{
    const struct gate_route_config *route = x->match.route;

    if (route == NULL || !(route->hooks & (1u << GATE_HOOK_REQUEST)))
        return GATE_STEP_NEXT;
    if (gate_flow_hook(x, GATE_HOOK_REQUEST, GATE_SCOPE_ROUTE) == GATE_STEP_WAIT)
        return GATE_STEP_WAIT;
    return gate_flow_verdict(x);
}

static enum gate_step_result reply_of_route(struct gate_exchange *x,
                                            const struct gate_reply_config *c)
{
    struct gate_reply *r = &x->reply;

    r->set = true;
    r->status = c->status;
    r->body = c->body;
    r->headers.arena = &x->arena;
    for (uint32_t i = 0; i < c->n_headers; i++)
        gate_headers_add(&r->headers, c->headers[i].name, c->headers[i].value);
    return gate_flow_jump(x, GATE_STEP_RESPONSE_HOOKS);
}

/* Where the path of a redirect begins: behind "scheme://authority", if that is there. */
static size_t redirect_path_at(struct gate_str to)
{
    size_t colon = gate_str_find(to, ':', 0);

    if (to.n > 0 && to.p[0] == '/')
        return 0;
    if (colon + 2 >= to.n || to.p[colon + 1] != '/' || to.p[colon + 2] != '/')
        return to.n;
    return gate_str_find(to, '/', colon + 3);
}

/* Captures are decoded text and are encoded again, here or on another host; the query is kept,
 * behind the one that the template has. */
static enum gate_step_result redirect_of_route(struct gate_exchange *x,
                                               const struct gate_route_config *route)
{
    struct gate_str to = route->redirect_to;
    size_t at = redirect_path_at(to);
    size_t end = gate_str_find(to, '?', at);
    struct gate_str path = gate_str_of(to.p + at, end - at);
    struct gate_str text;
    struct gate_out o;

    path = gate_route_expand(path, &x->match, &x->arena);
    if (path.n > 0 && gate_target_encode(path, &x->arena, &path, &text).status != 0)
        return gate_flow_fail(x, GATE_FAULT_BAD_REQUEST, 400, "the redirect's path is not valid");
    o = gate_out_on(gate_arena_alloc(&x->arena, to.n + path.n + x->req.query.n + 1),
                    to.n + path.n + x->req.query.n + 1);
    gate_out_str(&o, gate_str_of(to.p, at));
    gate_out_str(&o, path);
    gate_out_str(&o, gate_str_of(to.p + end, to.n - end));
    if (x->req.has_query) {
        gate_out_char(&o, end < to.n ? '&' : '?');
        gate_out_str(&o, x->req.query);
    }
    x->reply.set = true;
    x->reply.status = route->redirect_status;
    x->reply.headers.arena = &x->arena;
    if (gate_headers_set(&x->reply.headers, GATE_STR("location"), gate_out_view(&o)) != GATE_OK)
        return gate_flow_fail(x, GATE_FAULT_BAD_REQUEST, 400, "the redirect's path is not valid");
    return gate_flow_jump(x, GATE_STEP_RESPONSE_HOOKS);
}

static enum gate_step_result handler_of_route(struct gate_exchange *x)
{
    enum gate_step_result r;

    if (gate_flow_ask(x, GATE_ASK_HANDLER, GATE_HOOK_REQUEST, GATE_SCOPE_ROUTE) == GATE_STEP_WAIT)
        return GATE_STEP_WAIT;
    r = gate_flow_verdict(x);
    if (r == GATE_STEP_NEXT && x->upstream == GATE_NO_ORDINAL)
        return gate_flow_fail(x, GATE_FAULT_SCRIPT_ERROR, 0, "the handler answered nothing");
    return r;
}

enum gate_step_result gate_step_answer(struct gate_exchange *x)
{
    const struct gate_route_config *route = x->match.route;

    if (x->upstream_by_hook || route == NULL)
        return GATE_STEP_NEXT;
    switch (route->action) {
    case GATE_ACTION_REPLY:
        return reply_of_route(x, &route->reply);
    case GATE_ACTION_REDIRECT:
        return redirect_of_route(x, route);
    case GATE_ACTION_HANDLER:
        return handler_of_route(x);
    case GATE_ACTION_UPSTREAM:
        return GATE_STEP_NEXT;
    default:
        return gate_flow_fail(x, GATE_FAULT_NO_ROUTE, 0, "the route names nothing that answers");
    }
}
