#include "event/handshake.h"

#include "json/member.h"

static void open_event(struct buf *out, const struct handshake *handshake)
{
    buf_add_byte(out, '[');
    member_text(out, "id", handshake->event_id);
    member_text(out, "topic", handshake->scope);
    member_text(out, "subject", SLICE(""));
    member_open(out, "data");
}

static void close_event(struct buf *out, const char *type, uint64_t now_unix_us)
{
    buf_add_byte(out, '}');
    member_text(out, "eventType", slice_of(type));
    member_time(out, "eventTime", now_unix_us, 6);
    member_text(out, "metadataVersion", SLICE("1"));
    member_text(out, "dataVersion", SLICE("1"));
    buf_add(out, SLICE("}]"));
}

void handshake_write(struct buf *out, const struct handshake *handshake, uint64_t now_unix_us)
{
    open_event(out, handshake);
    member_text(out, "validationCode", handshake->code);
    member_text(out, "validationUrl", handshake->url);
    close_event(out, "Microsoft.EventGrid.SubscriptionValidationEvent", now_unix_us);
}

void handshake_write_deleted(struct buf *out, const struct handshake *handshake,
                             uint64_t now_unix_us)
{
    open_event(out, handshake);
    member_text(out, "eventSubscriptionId", handshake->code);
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
