#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "blob/listing.h"

#define HEAD "\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"utf-8\"?>"
#define OPEN "<EnumerationResults ServiceEndpoint=\"http://x/\" ContainerName=\"c\">"
#define PAGE                                                                                       \
    HEAD OPEN                                                                                      \
        "<Prefix>ES1/</Prefix><Marker/><MaxResults>2</MaxResults><Blobs>"                          \
        "<Blob><Name>ES1/a&amp;b.json</Name><Properties><Name>not this</Name>"                     \
        "<Content-Length>5</Content-Length></Properties>"                                          \
        "<Metadata><redgridqueue>q1</redgridqueue><Redgridid>1-0</Redgridid></Metadata></Blob>"    \
        "<Blob><Name>ES1/\xc3\xbc</Name><Metadata/></Blob>"                                        \
        "</Blobs><NextMarker>2!92!x</NextMarker></EnumerationResults>"

static void a_page_has_names_and_the_next_marker(void **state)
{
    struct blob_listing listing;

    (void)state;
    assert_int_equal(blob_listing_read(SLICE(PAGE), &listing, NULL), E_OK);
    assert_int_equal(listing.count, 2);
    assert_true(slice_eq(listing.names[0], SLICE("ES1/a&b.json")));
    assert_true(slice_eq(listing.names[1], SLICE("ES1/\xc3\xbc")));
    assert_true(slice_eq(listing.next, SLICE("2!92!x")));
    blob_listing_done(&listing);
    assert_int_equal(
        blob_listing_read(SLICE(OPEN "<Blobs/><NextMarker/></EnumerationResults>"), &listing, NULL),
        E_OK);
    assert_int_equal(listing.count, 0);
    assert_int_equal(listing.next.len, 0);
    blob_listing_done(&listing);
}

static void what_is_cut_off_or_something_else_is_refused(void **state)
{
    const struct slice page = SLICE(PAGE);
    static const char *const others[] = {
        "", "<Error><Code>x</Code></Error>", "{}",
        "<!DOCTYPE a [<!ENTITY b \"c\">]>" OPEN "<NextMarker>&b;</NextMarker></EnumerationResults>",
        OPEN "<a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a>"};
    struct blob_listing listing;
    struct cause why;

    (void)state;
    for (size_t len = 0; len < page.len; len++)
        assert_int_not_equal(blob_listing_read(slice_first(page, len), &listing, &why), E_OK);
    for (size_t i = 0; i < COUNT_OF(others); i++)
        assert_int_not_equal(blob_listing_read(slice_of(others[i]), &listing, &why), E_OK);
}

static void a_page_too_many_is_refused(void **state)
{
    struct blob_listing listing;
    struct buf out;

    (void)state;
    buf_init(&out, 1 << 20);
    buf_addf(&out, OPEN "<Blobs>");
    for (int i = 0; i <= BLOB_ITEMS_MAX; i++)
        buf_addf(&out, "<Blob><Name>n%d</Name></Blob>", i);
    buf_addf(&out, "</Blobs></EnumerationResults>");
    assert_int_equal(blob_listing_read(buf_slice(&out), &listing, NULL), E_LIMIT);
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page_has_names_and_the_next_marker),
        cmocka_unit_test(what_is_cut_off_or_something_else_is_refused),
        cmocka_unit_test(a_page_too_many_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
