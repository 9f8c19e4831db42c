/* Tokens and dates. What is signed with another key is refused, whatever it says; the input is
 * given the right signature too, so that what stands behind the signature's check is reached. */
#include <assert.h>
#include <string.h>

#include "event/date.h"
#include "event/sas.h"
#include "fuzz.h"

#define KEY "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
#define MESSAGE_MAX_BYTES 4096

static void check_dates(struct slice text)
{
    uint64_t unix_ms, again_ms;
    struct buf out;

    (void)duration_parse_iso(text, &unix_ms);
    if (!date_parse_iso(text, &unix_ms, NULL) && !date_parse_us(text, &unix_ms) &&
        !date_parse_http(text, &unix_ms))
        return;
    assert(unix_ms < 253402387200000u); /* a day behind the year 9999, for zones */
    if (unix_ms >= 253402300800000u)
        return;
    buf_init(&out, 64);
    date_add_us(&out, unix_ms);
    assert(date_parse_us(buf_slice(&out), &again_ms) && again_ms == unix_ms / 1000 * 1000);
    buf_clear(&out);
    date_add_http(&out, unix_ms);
    assert(date_parse_http(buf_slice(&out), &again_ms) && again_ms == unix_ms / 1000 * 1000);
    buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const struct access_keys keys = {.text = {KEY}};
    struct access_keys other = {.text = {"ZGVmMDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmM="}};
    struct slice url = SLICE("http://localhost:7070/topics/orders/api/events");
    struct slice text = {(const char *)data, len};
    char signature[SAS_SIGNATURE_TEXT_BYTES];
    struct cause why;
    struct buf token;

    check_dates(text);
    assert(sas_verify(&other, text, url, 1861920000000u, &why) == E_DENIED);
    if (len > MESSAGE_MAX_BYTES)
        return 0;
    assert(sas_sign(SLICE(KEY), text, signature) == E_OK);
    buf_init(&token, 2 * MESSAGE_MAX_BYTES);
    buf_add(&token, text);
    buf_add(&token, SLICE("&s="));
    buf_add(&token, slice_of(signature));
    if (sas_verify(&keys, buf_slice(&token), url, 1861920000000u, &why) == E_OK)
        assert(sas_verify(&other, buf_slice(&token), url, 1861920000000u, &why) == E_DENIED);
    buf_done(&token);
    return 0;
}
