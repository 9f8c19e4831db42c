#include "caches/notice.h"

#include "base/clock.h"

static const struct {
    const char *name;
    bool has_time;
} kinds[NOTICE_KINDS] = {
    [NOTICE_SCHEDULED] = {"NodeMaintenanceScheduled", true},
    [NOTICE_STARTING] = {"NodeMaintenanceStarting", true},
    [NOTICE_START] = {"NodeMaintenanceStart", false},
    [NOTICE_FAILOVER_COMPLETE] = {"NodeMaintenanceFailoverComplete", false},
    [NOTICE_ENDED] = {"NodeMaintenanceEnded", false},
    [NOTICE_SCALE_COMPLETE] = {"NodeMaintenanceScaleComplete", false},
};

void notice_write(struct buf *out, const struct notice *notice)
{
    buf_addf(out, "NotificationType|%s", kinds[notice->kind].name);
    if (kinds[notice->kind].has_time) {
        buf_add(out, SLICE("|StartTimeInUTC|"));
        clock_add_rfc3339(out, notice->start_unix_ms * 1000, 0);
        if (!out->missed)
            out->len--; /* clients want no Z, the name says it */
    }
    buf_addf(out, "|IsReplica|%s|IPAddress|%s|SSLPort|%u|NonSSLPort|%u",
             notice->is_replica ? "True" : "False", notice->address, (unsigned)notice->tls_port,
             (unsigned)notice->port);
}
