#include "event/handshake.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/mem.h"

#define CODE "512D38B6-C7B8-40C8-89FE-F46F9E9622B6"

static void the_event_carries_code_and_url(void **state)
{
    struct handshake handshake = {SLICE_INIT("1"), SLICE_INIT("/t"), SLICE_INIT(CODE),
                                  SLICE_INIT("https://h/validate?id=\"1\"")};
    struct buf out;

    (void)state;
    buf_init(&out, 4096);
    handshake_write(&out, &handshake, 1893456000000000u);
    assert_string_equal(
        buf_text(&out),
        "[{\"id\":\"1\",\"topic\":\"/t\",\"subject\":\"\",\"data\":{\"validationCode\":\"" CODE
        "\",\"validationUrl\":\"https://h/validate?id=\\\"1\\\"\"},\"eventType\":"
        "\"Microsoft.EventGrid.SubscriptionValidationEvent\",\"eventTime\":"
        "\"2030-01-01T00:00:00.000000Z\",\"metadataVersion\":\"1\",\"dataVersion\":\"1\"}]");
    buf_clear(&out);
    handshake.code = SLICE("/t/es1");
    handshake_write_deleted(&out, &handshake, 1893456000000000u);
    assert_string_equal(
        buf_text(&out),
        "[{\"id\":\"1\",\"topic\":\"/t\",\"subject\":\"\",\"data\":{\"eventSubscriptionId\":"
        "\"/t/es1\"},\"eventType\":\"Microsoft.EventGrid.SubscriptionDeletedEvent\",\"eventTime\":"
        "\"2030-01-01T00:00:00.000000Z\",\"metadataVersion\":\"1\",\"dataVersion\":\"1\"}]");
    buf_done(&out);
}

/* H1 to H4 */
static void answers_to_the_event_are_judged(void **state)
{
    static const struct {
        unsigned status;
        const char *body;
        enum handshake_verdict verdict;
    } rows[] = {
        {200, "{\"validationResponse\":\"" CODE "\"}", HANDSHAKE_PASSED},
        {200, " {\"ValidationResponse\":\"" CODE "\", \"x\":1} ", HANDSHAKE_PASSED},
        {200, "", HANDSHAKE_MANUAL},
        {200, "OK", HANDSHAKE_MANUAL},
        {200, "{}", HANDSHAKE_MANUAL},
        {200, "[\"" CODE "\"]", HANDSHAKE_MANUAL},
        {200, "{\"validationResponse\":\"other\"}", HANDSHAKE_FAILED},
        {200, "{\"validationResponse\":5}", HANDSHAKE_FAILED},
        {201, "{\"validationResponse\":\"" CODE "\"}", HANDSHAKE_FAILED},
        {202, "", HANDSHAKE_FAILED},
        {302, "", HANDSHAKE_FAILED},
        {500, "{\"validationResponse\":\"" CODE "\"}", HANDSHAKE_FAILED},
        {0, "", HANDSHAKE_FAILED},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (handshake_judge_post(rows[i].status, slice_of(rows[i].body), SLICE(CODE)) !=
            rows[i].verdict)
            fail_msg("%u %s", rows[i].status, rows[i].body);
}

/* H6 */
static void answers_to_options_are_judged(void **state)
{
    static const struct {
        unsigned status;
        const char *origin;
        enum handshake_verdict verdict;
    } rows[] = {
        {200, "*", HANDSHAKE_PASSED},
        {204, "EventGrid.azure.net", HANDSHAKE_PASSED},
        {200, "example.org, eventgrid.azure.net ", HANDSHAKE_PASSED},
        {200, NULL, HANDSHAKE_MANUAL},
        {200, " ", HANDSHAKE_MANUAL},
        {200, "example.org", HANDSHAKE_FAILED},
        {302, "*", HANDSHAKE_FAILED},
        {405, "*", HANDSHAKE_FAILED},
        {0, NULL, HANDSHAKE_FAILED},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (handshake_judge_options(rows[i].status, slice_of(rows[i].origin)) != rows[i].verdict)
            fail_msg("%u %s", rows[i].status, rows[i].origin);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_event_carries_code_and_url),
        cmocka_unit_test(answers_to_the_event_are_judged),
        cmocka_unit_test(answers_to_options_are_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
