#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "wire/url.h"

#define assert_slice(got, want)                                                                    \
    do {                                                                                           \
        assert_int_equal((got).len, strlen(want));                                                 \
        assert_memory_equal((got).data, want, (got).len);                                          \
    } while (0)

static void urls_are_split(void **state)
{
    static const struct row {
        const char *text;
        enum url_scheme scheme;
        const char *host;
        uint16_t port;
        bool is_v6;
        const char *path;
        const char *query;
    } rows[] = {
        {"http://h", URL_HTTP, "h", 80, false, "/", ""},
        {"https://h", URL_HTTPS, "h", 443, false, "/", ""},
        {"HTTP://Host.Example:8080/a/b?c=d&e", URL_HTTP, "Host.Example", 8080, false, "/a/b",
         "?c=d&e"},
        {"http://h?x=/y", URL_HTTP, "h", 80, false, "/", "?x=/y"},
        {"http://h:/p", URL_HTTP, "h", 80, false, "/p", ""},
        {"http://h:65535/p#frag?no", URL_HTTP, "h", 65535, false, "/p", ""},
        {"http://h#frag", URL_HTTP, "h", 80, false, "/", ""},
        {"https://[::1]/p", URL_HTTPS, "::1", 443, true, "/p", ""},
        {"http://[2001:db8::7]:81", URL_HTTP, "2001:db8::7", 81, true, "/", ""},
        {"http://127.0.0.1:7071/Fn%20x", URL_HTTP, "127.0.0.1", 7071, false, "/Fn%20x", ""},
        {"http://a_b.c-d/{x}|^`'", URL_HTTP, "a_b.c-d", 80, false, "/{x}|^`'", ""},
        {"http://h/a:b@c", URL_HTTP, "h", 80, false, "/a:b@c", ""},
        {"unix:///run/a.sock", URL_UNIX, "/run/a.sock", 0, false, "/", ""},
        {"unix:///run/a.sock:/p?q", URL_UNIX, "/run/a.sock", 0, false, "/p", "?q"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct url url;
        struct cause why = {""};
        enum err err = url_parse(slice_of(rows[i].text), &url, &why);
        if (err)
            fail_msg("%s: %s", rows[i].text, why.text);
        assert_int_equal(url.scheme, rows[i].scheme);
        assert_slice(url.host, rows[i].host);
        assert_int_equal(url.port, rows[i].port);
        assert_int_equal(url.is_v6, rows[i].is_v6);
        assert_slice(url.path, rows[i].path);
        assert_slice(url.query, rows[i].query);
    }
}

static void bad_urls_are_refused_with_a_reason(void **state)
{
    static const struct row {
        const char *text;
        enum err err;
        const char *why;
    } rows[] = {
        {"", E_BAD_INPUT, "begins with"},
        {"example.org/x", E_BAD_INPUT, "begins with"},
        {"ftp://h/", E_UNSUPPORTED, "scheme"},
        {"http://", E_BAD_INPUT, "host is missing"},
        {"http:///p", E_BAD_INPUT, "host is missing"},
        {"http://:80/", E_BAD_INPUT, "host is missing"},
        {"http://user@h/", E_BAD_INPUT, "user name"},
        {"http://u:p@h/", E_BAD_INPUT, "user name"},
        {"http://h:0/", E_BAD_INPUT, "port"},
        {"http://h:65536/", E_BAD_INPUT, "port"},
        {"http://h:8 0/", E_BAD_INPUT, "port"},
        {"http://h:-1/", E_BAD_INPUT, "port"},
        {"http://h:80:80/", E_BAD_INPUT, "port"},
        {"http://h h/", E_BAD_INPUT, "no host name has"},
        {"http://h%2f/", E_BAD_INPUT, "no host name has"},
        {"http://h\\x/", E_BAD_INPUT, "no host name has"},
        {"http://[::1", E_BAD_INPUT, "']' is missing"},
        {"http://[::1]x/", E_BAD_INPUT, "between ']'"},
        {"http://[1.2.3.4]/", E_BAD_INPUT, "no IPv6"},
        {"http://[fe80::1%25eth0]/", E_BAD_INPUT, "no IPv6"},
        {"http://[]/", E_BAD_INPUT, "host is missing"},
        {"http://h/a b", E_BAD_INPUT, "%20"},
        {"http://h/a\r\nX: y", E_BAD_INPUT, "%0D"},
        {"http://h/\xc3\xa4", E_BAD_INPUT, "%C3"},
        {"http://h/%zz", E_BAD_INPUT, "escape"},
        {"http://h/%4", E_BAD_INPUT, "escape"},
        {"http://h/?%", E_BAD_INPUT, "escape"},
        {"unix://x/y", E_BAD_INPUT, "begin with '/'"},
        {"unix:///s:p", E_BAD_INPUT, "begin with '/'"},
        {"unix:///", E_BAD_INPUT, "begin with '/'"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct url url = {.port = 7};
        struct cause why = {""};
        enum err err = url_parse(slice_of(rows[i].text), &url, &why);
        if (err != rows[i].err || strstr(why.text, rows[i].why) == NULL)
            fail_msg("%s: %s: %s", rows[i].text, err_name(err), why.text);
        assert_int_equal(url.port, 7);
    }
}

static void a_long_url_is_over_the_limit(void **state)
{
    (void)state;
    char text[URL_MAX_BYTES + 2];
    struct url url;
    memset(text, 'a', sizeof(text));
    memcpy(text, "http://h/", 9);
    assert_int_equal(url_parse((struct slice){text, URL_MAX_BYTES}, &url, NULL), E_OK);
    assert_int_equal(url_parse((struct slice){text, URL_MAX_BYTES + 1}, &url, NULL), E_LIMIT);
    text[9 + URL_HOST_MAX_BYTES] = '/';
    memset(text + 7, 'a', URL_HOST_MAX_BYTES + 2);
    assert_int_equal(url_parse((struct slice){text, URL_MAX_BYTES}, &url, NULL), E_LIMIT);
}

static void escapes_are_decoded(void **state)
{
    static const struct row {
        const char *text;
        enum err err;
        const char *plain;
        const char *form;
    } rows[] = {
        {"", E_OK, "", ""},
        {"a+b", E_OK, "a+b", "a b"},
        {"%41%6a%6A", E_OK, "Ajj", "Ajj"},
        {"a%2Fb%25", E_OK, "a/b%", "a/b%"},
        {"%", E_BAD_INPUT, "", ""},
        {"ab%4", E_BAD_INPUT, "", ""},
        {"%g0", E_BAD_INPUT, "", ""},
        {"%0x", E_BAD_INPUT, "", ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf out;
        buf_init(&out, 100);
        buf_add(&out, SLICE("<"));
        assert_int_equal(url_decode(&out, slice_of(rows[i].text)), rows[i].err);
        assert_slice(slice_from(buf_slice(&out), 1), rows[i].plain);
        out.len = 1;
        assert_int_equal(url_decode_form(&out, slice_of(rows[i].text)), rows[i].err);
        assert_slice(slice_from(buf_slice(&out), 1), rows[i].form);
        buf_done(&out);
    }
}

static void a_field_of_a_form_is_found_by_its_name(void **state)
{
    static const struct {
        const char *form, *name;
        enum err err;
        const char *value;
    } rows[] = {
        {"a=1&b=x%2By+z&b=2", "a", E_OK, "1"},
        {"a=1&b=x%2By+z&b=2", "b", E_OK, "x+y z"},
        {"ab=1&a=", "a", E_OK, ""},
        {"ab=1", "a", E_NOT_FOUND, ""},
        {"a", "a", E_NOT_FOUND, ""},
        {"", "a", E_NOT_FOUND, ""},
        {"a=%2", "a", E_BAD_INPUT, ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf out;
        buf_init(&out, 100);
        assert_int_equal(url_form_field(&out, slice_of(rows[i].form), slice_of(rows[i].name)),
                         rows[i].err);
        assert_slice(buf_slice(&out), rows[i].value);
        buf_done(&out);
    }
}

static void every_byte_survives_escaping(void **state)
{
    (void)state;
    char bytes[256];
    struct buf out, back;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)i;
    buf_init(&out, 1000);
    buf_init(&back, 256);
    url_add_escaped(&out, (struct slice){bytes, sizeof(bytes)});
    assert_int_equal(url_decode(&back, buf_slice(&out)), E_OK);
    assert_int_equal(back.len, 256);
    assert_memory_equal(back.data, bytes, 256);
    buf_clear(&out);
    url_add_escaped(&out, SLICE("aZ9-._~ /"));
    assert_slice(buf_slice(&out), "aZ9-._~%20%2F");
    assert_int_equal(url_decode(&back, SLICE("x")), E_LIMIT);
    buf_done(&out);
    buf_done(&back);
}

static void the_host_header_names_what_the_url_names(void **state)
{
    static const struct {
        const char *url, *host;
    } rows[] = {
        {"http://a.test", "a.test"},
        {"http://a.test:80/x", "a.test"},
        {"http://a.test:443", "a.test:443"},
        {"https://a.test", "a.test"},
        {"https://a.test:7070/p?q", "a.test:7070"},
        {"http://[::1]:7070", "[::1]:7070"},
        {"unix:///run/s:/x", "localhost"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct url url;
        struct buf out;
        buf_init(&out, 100);
        assert_int_equal(url_parse(slice_of(rows[i].url), &url, NULL), E_OK);
        url_add_host(&out, &url);
        assert_slice(buf_slice(&out), rows[i].host);
        buf_done(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_split),
        cmocka_unit_test(bad_urls_are_refused_with_a_reason),
        cmocka_unit_test(a_long_url_is_over_the_limit),
        cmocka_unit_test(escapes_are_decoded),
        cmocka_unit_test(a_field_of_a_form_is_found_by_its_name),
        cmocka_unit_test(every_byte_survives_escaping),
        cmocka_unit_test(the_host_header_names_what_the_url_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
