// Bodies of test functions, in Python if they do not say otherwise.

// Records what it was given, then fails.
export const FAIL = {
  code: `
import testlib

def main(entry):
    testlib.record(repr(entry))
    raise ValueError("always")
`,
};

// Records what it was given, before and after what it does (lines of Python).
export const record = (work = 'pass') => ({
  code: `
import json
import time
import testlib

def main(entry):
    message = json.loads(entry)["Message"]
    testlib.record("start " + message)
    ${work}
    testlib.record("end " + message)
`,
});

// Logs triggerValue: and an expression.
export const show = (shown, annotation = 'str', head = '') => ({
  code: `
import json
import logging
${head}
def main(entry: ${annotation}):
    logging.info("triggerValue:%s", ${shown})
`,
});

// In C: holds what it has until the file `go` is there.
export const GATE = {
  code: `
#include <redgrid/function.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int NAME(struct redgrid_invocation *run)
{
    char path[1000];

    (void)run;
    (void)snprintf(path, sizeof path, "%s/go", getenv("TEST_FOLDER"));
    while (access(path, F_OK) != 0)
        (void)usleep(5000);
    return REDGRID_OK;
}
`,
};
