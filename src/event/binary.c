#include "event/binary.h"

#include "base/base64.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "event/draft.h"
#include "wire/url.h"
#include "json/json.h"
#include "json/member.h"
#include "json/scan.h"

#define PREFIX SLICE("ce-")
#define VALUE_MAX_BYTES 65536

static const char *const required[] = {"id", "source", "type", "specversion"};

static struct slice attribute_of(const struct publish_header *header)
{
    return slice_has_prefix_nocase(header->name, PREFIX) ? slice_from(header->name, PREFIX.len)
                                                         : SLICE_NONE;
}

bool binary_is(const struct publish_request *request)
{
    for (size_t i = 0; i < request->header_count; i++)
        if (attribute_of(&request->headers[i]).len > 0)
            return true;
    return false;
}

static enum err check_required(const struct publish_request *request, const char *name,
                               struct refusal *why)
{
    const struct publish_header *found = NULL;

    for (size_t i = 0; i < request->header_count && found == NULL; i++)
        if (slice_eq_nocase(attribute_of(&request->headers[i]), slice_of(name)))
            found = &request->headers[i];
    if (found != NULL && !slice_is_blank(found->value))
        return E_OK;
    return refuse(why, REFUSAL_HEADER,
                  "ce-%s header is %s for the cloud event. Please check required attributes at "
                  "https://github.com/cloudevents/spec/blob/v1.0/spec.md#required-attributes",
                  name, found == NULL ? "missing" : "empty");
}

static bool is_name(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9'))
            return false;
    }
    return !slice_eq_nocase(name, SLICE("data"));
}

static void write_name(struct buf *out, struct slice name)
{
    buf_add(out, out->len == 0 ? SLICE("{\"") : SLICE(",\""));
    buf_add_lower(out, name);
    buf_add(out, SLICE("\":"));
}

/* The value is percent-encoded UTF-8. */
static enum err write_attribute(struct buf *out, struct slice name, struct slice value,
                                struct refusal *why)
{
    struct buf text;

    buf_init(&text, VALUE_MAX_BYTES);
    bool is_good = is_name(name) && url_decode(&text, slice_trim(value)) == E_OK &&
                   utf8_is_valid(buf_slice(&text));
    if (is_good) {
        write_name(out, name);
        jx_write_string(out, buf_slice(&text));
    }
    buf_done(&text);
    if (is_good)
        return E_OK;
    return refuse(why, REFUSAL_HEADER, "ce-%.*s header is no valid attribute of the cloud event.",
                  SLICE_ARG(slice_first(name, 64)));
}

/* application/json, any +json, and nothing at all, which means JSON. */
static bool is_json_type(struct slice type)
{
    struct slice essence = slice_trim(slice_first(type, slice_find_byte(type, ';')));

    return essence.len == 0 || slice_eq_nocase(essence, SLICE("application/json")) ||
           slice_eq_nocase(essence, SLICE("text/json")) ||
           slice_has_suffix_nocase(essence, SLICE("+json"));
}

static enum err write_data(struct buf *out, const struct publish_request *request,
                           struct refusal *why)
{
    struct slice data = request->body;

    if (data.len == 0)
        return E_OK;
    if (is_json_type(request->content_type)) {
        data = jx_scan_trim(data);
        if (!jx_scan_is_value(data, JX_SCAN_DEPTH_MAX))
            return refuse(why, REFUSAL_JSON, "The JSON received is not valid.");
        member_json(out, "data", data);
    } else if (slice_has_prefix_nocase(request->content_type, SLICE("text/")) &&
               utf8_is_valid(data)) {
        member_text(out, "data", data);
    } else {
        member_open(out, "data_base64");
        buf_add_byte(out, '"');
        base64_add(out, data);
        buf_add_byte(out, '"');
    }
    return E_OK;
}

enum err binary_to_structured(const struct publish_request *request, struct buf *out,
                              struct refusal *why)
{
    enum err err = E_OK;

    for (size_t i = 0; i < COUNT_OF(required) && err == E_OK; i++)
        err = check_required(request, required[i], why);
    for (size_t i = 0; i < request->header_count && err == E_OK; i++) {
        struct slice name = attribute_of(&request->headers[i]);
        if (name.len > 0)
            err = write_attribute(out, name, request->headers[i].value, why);
    }
    if (err)
        return err;
    if (request->content_type.len > 0)
        member_text(out, "datacontenttype", request->content_type);
    err = write_data(out, request, why);
    buf_add_byte(out, '}');
    if (err == E_OK && buf_err(out) != E_OK)
        err = refuse(why, REFUSAL_TOO_LARGE, "The event is larger than %d bytes.", EVENT_MAX_BYTES);
    return err;
}
