#include "loop/authority.h"

#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"

static char folder[32];

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/authority.XXXXXX");
    return mkdtemp(folder) == NULL;
}

static int tear_down(void **state)
{
    char script[64];

    (void)state;
    snprintf(script, sizeof script, "rm -r '%s'", folder);
    return system(script);
}

static const char *file(const char *name)
{
    static char paths[4][128];
    static unsigned next;
    char *path = paths[next++ % COUNT_OF(paths)];

    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

/* What the openssl command says of it, as another implementation would. */
static bool is_trusted_for(const char *option, const char *name)
{
    char script[512];

    snprintf(script, sizeof script,
             "openssl verify -x509_strict -purpose sslserver -CAfile %s/ca.crt -%s %s "
             "%s/server.crt >/dev/null 2>&1",
             folder, option, name, folder);
    return system(script) == 0;
}

static enum err open_for(const char *first, const char *second)
{
    const char *names[] = {first, second, NULL};
    struct cause why = {0};

    return authority_open(folder, names, &why);
}

static X509 *read_certificate(const char *name)
{
    FILE *f = fopen(file(name), "r");

    assert_non_null(f);
    X509 *certificate = PEM_read_X509(f, NULL, NULL, NULL);
    fclose(f);
    assert_non_null(certificate);
    return certificate;
}

static bool is_same(X509 *before, const char *name)
{
    X509 *now = read_certificate(name);
    bool is = X509_cmp(before, now) == 0;

    X509_free(now);
    return is;
}

static void its_certificate_is_trusted_for_its_names(void **state)
{
    struct stat status;

    (void)state;
    assert_int_equal(open_for("localhost", "127.0.0.1"), E_OK);
    assert_true(is_trusted_for("verify_hostname", "localhost"));
    assert_true(is_trusted_for("verify_ip", "127.0.0.1"));
    assert_false(is_trusted_for("verify_hostname", "example.com"));
    assert_false(is_trusted_for("verify_ip", "127.0.0.2"));
    static const char *const names[] = {"ca.key", AUTHORITY_KEY};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        assert_int_equal(stat(file(names[i]), &status), 0);
        assert_int_equal(status.st_mode & 0777, 0600);
    }
}

static void it_stays_until_a_name_is_missing(void **state)
{
    (void)state;
    assert_int_equal(open_for("localhost", "127.0.0.1"), E_OK);
    X509 *authority = read_certificate(AUTHORITY_CA);
    X509 *server = read_certificate(AUTHORITY_CERTIFICATE);
    assert_int_equal(open_for("localhost", "127.0.0.1"), E_OK);
    assert_true(is_same(authority, AUTHORITY_CA));
    assert_true(is_same(server, AUTHORITY_CERTIFICATE));
    assert_int_equal(open_for("localhost", "::1"), E_OK);
    assert_true(is_same(authority, AUTHORITY_CA));
    assert_false(is_same(server, AUTHORITY_CERTIFICATE));
    assert_true(is_trusted_for("verify_ip", "::1"));
    X509_free(authority);
    X509_free(server);
}

static void what_is_damaged_is_made_anew(void **state)
{
    static const char *const names[] = {AUTHORITY_CA, "ca.key", AUTHORITY_CERTIFICATE,
                                        AUTHORITY_KEY};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        assert_int_equal(open_for("localhost", NULL), E_OK);
        assert_int_equal(truncate(file(names[i]), 20), 0);
        assert_int_equal(open_for("localhost", NULL), E_OK);
        assert_true(is_trusted_for("verify_hostname", "localhost"));
    }
}

static void bad_names_and_folders_are_refused(void **state)
{
    const char *names[] = {"localhost", NULL};
    struct cause why = {0};

    (void)state;
    assert_int_equal(open_for("a,IP:1.2.3.4", NULL), E_BAD_INPUT);
    assert_int_equal(open_for("", NULL), E_BAD_INPUT);
    assert_int_equal(authority_open("/nowhere", names, &why), E_IO);
    assert_non_null(strstr(why.text, "/nowhere/ca.key"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(its_certificate_is_trusted_for_its_names, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(it_stays_until_a_name_is_missing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_damaged_is_made_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bad_names_and_folders_are_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
