/* Signatures against the check value of eventgrid.md 4.1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "blob/sign.h"

/* Azurite's public default account. */
#define AZURITE_KEY                                                                                \
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/"                              \
    "K1SZFPTOtr/KBHBeksoGMGw=="
#define AZURITE                                                                                    \
    "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=" AZURITE_KEY           \
    ";BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1;QueueEndpoint=http://127.0.0.1:10001/a"

static void a_signature_is_that_of_the_specification(void **state)
{
    struct blob_account account;
    const struct blob_request request = {
        .method = SLICE("PUT"),
        .path = SLICE("/deadletter/ES1/2030/1/1/0/11111111-1111-4111-8111-111111111111.json"),
        .content_type = SLICE("application/json"),
        .content_length = 12,
        .headers = {{SLICE("x-ms-blob-type"), SLICE("BlockBlob")},
                    {SLICE("x-ms-date"), SLICE("Tue, 01 Jan 2030 00:00:00 GMT")},
                    {SLICE("x-ms-version"), SLICE("2021-08-06")}},
        .header_count = 3,
    };
    struct buf out;

    (void)state;
    assert_int_equal(blob_account_read(SLICE(AZURITE), &account, NULL), E_OK);
    buf_init(&out, 4096);
    assert_int_equal(blob_add_authorization(&out, &account, &request), E_OK);
    assert_string_equal(buf_text(&out),
                        "SharedKey devstoreaccount1:O/q+YwHgwwGwlQqcBxM6hZs1WVfmi+i8s4KOZjZQOFE=");
    buf_done(&out);
    blob_account_done(&account);
}

static void parameters_are_signed_and_a_host_has_the_account_once(void **state)
{
    struct blob_account account;
    const struct blob_request request = {
        .method = SLICE("GET"),
        .path = SLICE("/box"),
        .headers = {{SLICE("x-ms-date"), SLICE("d")}},
        .header_count = 1,
        .parameters = {{SLICE("comp"), SLICE("list")}, {SLICE("prefix"), SLICE("ES 1/")}},
        .parameter_count = 2,
    };
    struct buf out;

    (void)state;
    assert_int_equal(
        blob_account_read(SLICE("AccountName=acc;AccountKey=" AZURITE_KEY), &account, NULL), E_OK);
    assert_string_equal(account.endpoint, "https://acc.blob.core.windows.net");
    buf_init(&out, 4096);
    blob_string_to_sign(&out, &account, &request);
    assert_string_equal(buf_text(&out), "GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:d\n/acc/box\n"
                                        "comp:list\nprefix:ES 1/");
    buf_done(&out);
    blob_account_done(&account);
}

static void accounts_are_read_from_connection_strings(void **state)
{
    static const struct {
        const char *text, *name, *endpoint, *sas; /* name NULL: refused, with this endpoint */
    } rows[] = {
        {AZURITE, "devstoreaccount1", "http://127.0.0.1:10000/devstoreaccount1", NULL},
        {"BlobEndpoint=https://acc.blob.core.windows.net/;SharedAccessSignature=?sv=1&sig=a%3D",
         "acc", "https://acc.blob.core.windows.net", "sv=1&sig=a%3D"},
        {" BlobEndpoint=http://azurite:10000/dev/ ; SharedAccessSignature=sv=1&sig=b", "dev",
         "http://azurite:10000/dev", "sv=1&sig=b"},
        {"DefaultEndpointsProtocol=http;AccountName=a;AccountKey=QUJD;EndpointSuffix=x.cn", "a",
         "http://a.blob.x.cn", NULL},
        {"hello", NULL, "is no connection string", NULL},
        {"AccountKey=QUJD", NULL, "AccountName: is missing", NULL},
        {"AccountName=a", NULL, "needs one of AccountKey and SharedAccessSignature", NULL},
        {"AccountName=a;SharedAccessSignature=?", NULL,
         "needs one of AccountKey and SharedAccessSignature", NULL},
        {"AccountName=a;AccountKey=secret!", NULL, "AccountKey: is not Base64", NULL},
        {"AccountName=a;AccountKey=QUJD;BlobEndpoint=ftp://x", NULL, "BlobEndpoint: ", NULL},
        {"AccountName=a;AccountKey=QUJD;BlobEndpoint=unix:///x", NULL, "BlobEndpoint: is not",
         NULL},
    };
    struct blob_account account;
    struct cause why;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        enum err err = blob_account_read(slice_of(rows[i].text), &account, &why);
        if (rows[i].name == NULL) {
            assert_int_not_equal(err, E_OK);
            assert_true(slice_has_prefix(slice_of(why.text), slice_of(rows[i].endpoint)));
            assert_null(strstr(why.text, "secret"));
            continue;
        }
        assert_int_equal(err, E_OK);
        assert_string_equal(account.name, rows[i].name);
        assert_string_equal(account.endpoint, rows[i].endpoint);
        assert_int_equal(account.sas == NULL, rows[i].sas == NULL);
        if (rows[i].sas != NULL)
            assert_string_equal(account.sas, rows[i].sas);
        blob_account_done(&account);
    }
}

static void accounts_are_read_from_urls_of_containers(void **state)
{
    static const struct {
        const char *text, *name, *endpoint, *container; /* name NULL: refused */
    } rows[] = {
        {"https://acc.blob.core.windows.net/box?sv=1&sig=a%3D", "acc",
         "https://acc.blob.core.windows.net", "box"},
        {"http://127.0.0.1:10000/dev/my-box/?sv=1&sig=a%3D", "dev", "http://127.0.0.1:10000/dev",
         "my-box"},
        {"https://acc.blob.core.windows.net/$root?sv=1&sig=a%3D", "acc",
         "https://acc.blob.core.windows.net", "$root"},
        {"https://acc.blob.core.windows.net/box", NULL, NULL, NULL},
        {"https://acc.blob.core.windows.net/box?", NULL, NULL, NULL},
        {"https://acc.blob.core.windows.net?sig=geheim", NULL, NULL, NULL},
        {"https://acc.blob.core.windows.net//?sig=geheim", NULL, NULL, NULL},
        {"https://acc.blob.core.windows.net/a%20b?sig=geheim", NULL, NULL, NULL},
        {"unix:///x:/box?sig=geheim", NULL, NULL, NULL},
        {"box?sig=geheim", NULL, NULL, NULL},
    };
    struct blob_account account;
    struct slice container;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct cause why = {0};
        enum err err = blob_account_read_url(slice_of(rows[i].text), &account, &container, &why);
        assert_int_equal(err == E_OK, rows[i].name != NULL);
        assert_null(strstr(why.text, "geheim"));
        if (err)
            continue;
        assert_string_equal(account.name, rows[i].name);
        assert_string_equal(account.endpoint, rows[i].endpoint);
        assert_string_equal(account.sas, "sv=1&sig=a%3D");
        assert_null(account.key);
        assert_true(slice_eq(container, slice_of(rows[i].container)));
        blob_account_done(&account);
    }
}

static void an_account_is_found_by_the_end_of_its_resource_id(void **state)
{
    struct blob_accounts accounts = {0};
    struct cause why;

    (void)state;
    assert_int_equal(blob_accounts_add(&accounts, SLICE("AccountName=a;AccountKey=QUJD"), &why),
                     E_OK);
    assert_int_equal(blob_accounts_add(&accounts, SLICE("AccountName=B;AccountKey=QUJD"), &why),
                     E_OK);
    assert_int_equal(blob_accounts_add(&accounts, SLICE("AccountName=b;AccountKey=QUJD"), &why),
                     E_BAD_INPUT);
    const struct slice id = SLICE("/subscriptions/s/providers/Microsoft.Storage/storageAccounts/b");
    assert_ptr_equal(blob_accounts_find(&accounts, id), &accounts.rows[1]);
    assert_null(blob_accounts_find(&accounts, SLICE("/x/ab")));
    blob_accounts_done(&accounts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signature_is_that_of_the_specification),
        cmocka_unit_test(parameters_are_signed_and_a_host_has_the_account_once),
        cmocka_unit_test(accounts_are_read_from_connection_strings),
        cmocka_unit_test(accounts_are_read_from_urls_of_containers),
        cmocka_unit_test(an_account_is_found_by_the_end_of_its_resource_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
