#include "event/handshake.h"

#include "base/clock.h"
#include "event/member.h"
#include "json/scan.h"

static void write_string(struct buf *out, const char *name, struct slice text)
{
    put_name(out, name);
    jx_write_string(out, text);
}

static void open_event(struct buf *out, const struct handshake *handshake)
{
    buf_add(out, SLICE("[{"));
    write_string(out, "id", handshake->event_id);
    write_string(out, "topic", handshake->scope);
    put_text(out, "subject", "");
    put_name(out, "data");
    buf_add_byte(out, '{');
}

static void close_event(struct buf *out, const char *type, uint64_t now_unix_us)
{
    buf_add_byte(out, '}');
    put_text(out, "eventType", type);
    put_name(out, "eventTime");
    buf_add_byte(out, '"');
    clock_add_rfc3339(out, now_unix_us, 6);
    buf_add(out, SLICE("\",\"metadataVersion\":\"1\",\"dataVersion\":\"1\"}]"));
}

void handshake_write(struct buf *out, const struct handshake *handshake, uint64_t now_unix_us)
{
    open_event(out, handshake);
    write_string(out, "validationCode", handshake->code);
    write_string(out, "validationUrl", handshake->url);
    close_event(out, "Microsoft.EventGrid.SubscriptionValidationEvent", now_unix_us);
}

void handshake_write_deleted(struct buf *out, const struct handshake *handshake,
                             uint64_t now_unix_us)
{
    open_event(out, handshake);
    write_string(out, "eventSubscriptionId", handshake->code);
    close_event(out, "Microsoft.EventGrid.SubscriptionDeletedEvent", now_unix_us);
}

enum handshake_verdict handshake_judge_post(unsigned status, struct slice body, struct slice code)
{
    struct slice response = SLICE_NONE;

    if (status != 200)
        return HANDSHAKE_FAILED;
    if (jx_scan_is_object(body))
        response = jx_scan_member(body, SLICE("validationResponse"));
    if (response.data == NULL)
        return HANDSHAKE_MANUAL;
    bool is_echo = response.data[0] == '"' && jx_scan_is_text_nocase(response, code);
    return is_echo ? HANDSHAKE_PASSED : HANDSHAKE_FAILED;
}

enum handshake_verdict handshake_judge_options(unsigned status, struct slice allowed_origin)
{
    struct slice rest = allowed_origin, origin;

    if (status < 200 || status > 299)
        return HANDSHAKE_FAILED;
    if (slice_is_blank(allowed_origin))
        return HANDSHAKE_MANUAL;
    while (slice_cut(&rest, ',', &origin)) {
        origin = slice_trim(origin);
        if (slice_eq(origin, SLICE("*")) || slice_eq_nocase(origin, SLICE(HANDSHAKE_ORIGIN)))
            return HANDSHAKE_PASSED;
    }
    return HANDSHAKE_FAILED;
}
