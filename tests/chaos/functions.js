// The functions under test: each run leaves `start LABEL` and `end LABEL` in the ledger, a file
// that outlives whoever is killed.

import { list, stream } from '../lib/app.js';
import { record } from '../lib/code.js';

const C = (work) => `
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include <redgrid/function.h>

static void record(const char *what, struct redgrid_slice message)
{
    static int ledger = -1;
    char line[4096];

    if (ledger < 0) {
        snprintf(line, sizeof line, "%s/ledger", getenv("TEST_FOLDER"));
        ledger = open(line, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    }
    int len = snprintf(line, sizeof line, "%s %.*s\\n", what, REDGRID_ARG(message));
    if (write(ledger, line, (size_t)len) != len)
        abort();
}

int NAME(struct redgrid_invocation *run)
{
    struct redgrid_slice message = redgrid_message(run);

    record("start", message);
    ${work}
    record("end", message);
    return REDGRID_OK;
}
`;

const WORK = {
  c: {
    slow: 'usleep(4000);',
    crash: 'if (memmem(message.data, message.len, ".0", 2) != NULL) abort();',
  },
  python: {
    slow: 'time.sleep(0.006)',
    crash: '".0" in message and __import__("os").abort()',
  },
};

// work: slow (some ms, so that there is a backlog), or crash (a label that ends with .0 kills its
// worker).
export function functionFor(kind, lang, binding, work = 'slow') {
  const code = lang === 'c' ? C(WORK.c[work]) : record(WORK.python[work]).code;
  return (kind === 'list' ? list : stream)(kind, binding, { code });
}
