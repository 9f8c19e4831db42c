#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "http/listen.h"

static void bad_addresses_are_named(void **state)
{
    static const struct row {
        const char *address;
        enum err err;
        const char *why;
    } rows[] = {
        {"127.0.0.1", E_BAD_INPUT, "127.0.0.1: must be ADDRESS:PORT"},
        {"127.0.0.1:", E_BAD_INPUT, "port"},
        {"127.0.0.1:x", E_BAD_INPUT, "port"},
        {"127.0.0.1:65536", E_BAD_INPUT, "port"},
        {"::1:80", E_BAD_INPUT, "must be"},
        {"name:80", E_BAD_INPUT, "must be"},
        {":80", E_BAD_INPUT, "must be"},
        {"192.0.2.1:0", E_BAD_INPUT, "not an address of this machine"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int fd = -7;
        uint16_t port;
        struct cause why = {""};
        enum err err = listen_on(rows[i].address, &fd, &port, &why);
        if (err != rows[i].err || strstr(why.text, rows[i].why) == NULL)
            fail_msg("%s: %s: %s", rows[i].address, err_name(err), why.text);
        assert_int_equal(fd, -7);
    }
}

static void a_free_port_is_taken_once(void **state)
{
    int fd, second;
    uint16_t port, port_again;
    char text[32];
    struct cause why = {""};

    (void)state;
    assert_int_equal(listen_on("localhost:0", &fd, &port, &why), E_OK);
    assert_true(port > 0);
    snprintf(text, sizeof(text), "127.0.0.1:%u", port);
    assert_int_equal(listen_on(text, &second, &port_again, &why), E_EXISTS);
    assert_non_null(strstr(why.text, text));
    close(fd);
    assert_int_equal(listen_on(text, &fd, &port_again, &why), E_OK);
    assert_int_equal(port_again, port);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_addresses_are_named),
        cmocka_unit_test(a_free_port_is_taken_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
