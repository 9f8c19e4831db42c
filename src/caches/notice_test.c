#include "caches/notice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"

static void texts_are_those_of_azure(void **state)
{
    static const struct {
        struct notice notice;
        const char *text;
    } rows[] = {
        {{NOTICE_STARTING, 1767323045999, false, "127.0.0.1", 6380, 6379},
         "NotificationType|NodeMaintenanceStarting|StartTimeInUTC|2026-01-02T03:04:05|IsReplica|"
         "False|IPAddress|127.0.0.1|SSLPort|6380|NonSSLPort|6379"},
        {{NOTICE_SCHEDULED, 1767323045000, true, "::1", 0, 6379},
         "NotificationType|NodeMaintenanceScheduled|StartTimeInUTC|2026-01-02T03:04:05|IsReplica|"
         "True|IPAddress|::1|SSLPort|0|NonSSLPort|6379"},
        {{NOTICE_START, 1, true, "127.0.0.1", 6380, 0},
         "NotificationType|NodeMaintenanceStart|IsReplica|True|IPAddress|127.0.0.1|SSLPort|6380|"
         "NonSSLPort|0"},
        {{NOTICE_FAILOVER_COMPLETE, 1, false, "a", 1, 2},
         "NotificationType|NodeMaintenanceFailoverComplete|IsReplica|False|IPAddress|a|SSLPort|1|"
         "NonSSLPort|2"},
        {{NOTICE_ENDED, 1, false, "a", 1, 2},
         "NotificationType|NodeMaintenanceEnded|IsReplica|False|IPAddress|a|SSLPort|1|NonSSLPort|"
         "2"},
        {{NOTICE_SCALE_COMPLETE, 1, false, "a", 1, 2},
         "NotificationType|NodeMaintenanceScaleComplete|IsReplica|False|IPAddress|a|SSLPort|1|"
         "NonSSLPort|2"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf out;
        buf_init(&out, 512);
        notice_write(&out, &rows[i].notice);
        assert_string_equal(buf_text(&out), rows[i].text);
        buf_done(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(texts_are_those_of_azure)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
