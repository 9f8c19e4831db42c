#include "event/refusal.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void check(const struct refusal *why, const char *expected)
{
    struct buf out;

    buf_init(&out, 4096);
    refusal_write(&out, why, SLICE("11111111-1111-4111-8111-111111111111"), 1893456000000u);
    assert_string_equal(buf_text(&out), expected);
    buf_done(&out);
}

static void a_refusal_tells_code_text_and_report(void **state)
{
    struct refusal why;

    (void)state;
    assert_int_equal(refuse(&why, REFUSAL_JSON, "bad '%s'", "\"x\""), E_BAD_INPUT);
    assert_int_equal(refusal_status(&why), 400);
    assert_string_equal(refusal_reason(&why), "InputJsonInvalid");
    check(&why,
          "{\"error\":{\"code\":\"BadRequest\",\"message\":\"bad '\\\"x\\\"' Report "
          "'11111111-1111-4111-8111-111111111111:0:1/1/2030 12:00:00 AM (UTC)' to our forums for "
          "assistance or raise a support ticket.\",\"details\":[{\"code\":\"InputJsonInvalid\","
          "\"message\":\"bad '\\\"x\\\"' Report '11111111-1111-4111-8111-111111111111:0:1/1/2030 "
          "12:00:00 AM (UTC)' to our forums for assistance or raise a support ticket.\"}]}}");
}

static void one_about_sizes_has_no_report(void **state)
{
    struct refusal why;

    (void)state;
    assert_int_equal(refuse(&why, REFUSAL_TOO_LARGE, "too much"), E_LIMIT);
    assert_int_equal(refusal_status(&why), 413);
    assert_string_equal(refusal_reason(&why), "RequestEntityTooLarge");
    check(&why, "{\"error\":{\"code\":\"RequestEntityTooLarge\",\"message\":\"too much\"}}");
    assert_int_equal(refuse(NULL, REFUSAL_UNAUTHORIZED, "no"), E_DENIED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refusal_tells_code_text_and_report),
        cmocka_unit_test(one_about_sizes_has_no_report),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
