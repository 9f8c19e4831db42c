#include "arm/place.h"

#include "api/caller.h"
#include "http/server.h"
#include "wire/url.h"

static const struct slice plain = SLICE_INIT("http://");

void arm_place_add(struct buf *out, const struct arm_place *place,
                   const struct http_request *request)
{
    struct buf url;

    buf_init(&url, URL_MAX_BYTES);
    http_request_add_url(&url, request);
    struct slice text = buf_slice(&url);
    if (place->https_port == 0 || !slice_has_prefix(text, plain)) {
        buf_add(out, text);
    } else {
        text = slice_from(text, plain.len);
        buf_add(out, SLICE("https://"));
        buf_add(out, slice_first(text, caller_find_port(text)));
        buf_addf(out, ":%u", (unsigned)place->https_port);
    }
    buf_done(&url);
}

static bool is_asked(struct slice url, const struct arm_place *place,
                     const struct http_request *request)
{
    struct buf own;

    buf_init(&own, URL_MAX_BYTES);
    http_request_add_url(&own, request);
    bool is_own = slice_eq_nocase(url, buf_slice(&own));
    buf_clear(&own);
    arm_place_add(&own, place, request);
    is_own = is_own || slice_eq_nocase(url, buf_slice(&own));
    buf_done(&own);
    return is_own;
}

/* One of loopback, by whichever name. */
static bool is_local(struct slice text, const struct arm_place *place)
{
    struct url url;

    return url_parse(text, &url, NULL) == E_OK && url.scheme != URL_UNIX && url.path.len <= 1 &&
           url.query.len == 0 && url.port > 0 &&
           (url.port == place->http_port || url.port == place->https_port) &&
           caller_is_machine(url.host);
}

bool arm_place_is(const struct arm_place *place, const struct http_request *request,
                  struct slice url)
{
    while (url.len > 0 && url.data[url.len - 1] == '/')
        url.len--;
    return is_asked(url, place, request) || is_local(url, place);
}
