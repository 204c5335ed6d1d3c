/* Switching protocols: which requests may ask for it, and which answers fit. Inside the gateway it
 * is always asked for as in HTTP/1.1; an extended CONNECT of HTTP/2 differs in that any 2xx would
 * be a tunnel, and in that the key of WebSocket is ours. */
#include "flow/flow_int.h"
#include "http/websocket.h"

static bool is_websocket(struct gate_str protocol)
{
    return gate_str_ieq(protocol, GATE_STR("websocket"));
}

/* Whether the route switches to this protocol. */
static bool is_allowed(const struct gate_exchange *x, struct gate_str protocol)
{
    const struct gate_route_config *route = x->match.route;

    if (route == NULL)
        return is_websocket(protocol);
    for (uint32_t i = 0; i < route->n_upgrade; i++) {
        if (gate_str_ieq(protocol, route->upgrade[i]))
            return true;
    }
    return false;
}

bool gate_flow_upgrade_passes(const struct gate_exchange *x)
{
    const struct gate_request_head *h = &x->req.head;
    bool has_body =
        h->framing == GATE_BODY_CHUNKED || h->content_length > 0 || x->flow->body_replaced;

    if (!h->upgrade || has_body)
        return false;
    if (is_websocket(h->upgrade_token) && x->req.method_id != GATE_M_GET)
        return false;
    return is_allowed(x, h->upgrade_token);
}

const char *gate_flow_switch_fault(const struct gate_exchange *x)
{
    const struct gate_response_head *head = &x->attempt->head;
    struct gate_str key;

    if (head->status / 100 == 2)
        return "success without a switch of protocols";
    if (head->status != 101 || !is_websocket(x->req.head.upgrade_token))
        return NULL;
    if (gate_headers_get_id(&x->req.headers, GATE_F_SEC_WEBSOCKET_KEY, &key) &&
        gate_websocket_accepted(key, &head->fields))
        return NULL;
    return "Sec-WebSocket-Accept does not fit the key";
}

void gate_flow_switch_answered(struct gate_exchange *x)
{
    if (x->res.head != NULL && x->res.head->status == 101 && x->res.status != 101)
        x->res.body_set = true;
}

enum gate_step_result gate_flow_success_refused(struct gate_exchange *x)
{
    x->flow->plain_page = x->flow->fault_taken;
    return gate_flow_fail(x, GATE_FAULT_BAD_REQUEST, 501,
                          "success would be a tunnel, and there is none");
}

struct gate_str gate_flow_upgrade_said(const struct gate_exchange *x)
{
    if (x->res.status == 101)
        return x->req.head.upgrade_token;
    if (x->res.head == NULL || x->res.head->status != 426 ||
        !is_allowed(x, x->res.head->upgrade_token))
        return GATE_STR_NONE;
    return x->res.head->upgrade_token;
}
