/* What comes from storage, and what names it. The first byte chooses: a listing in XML, the
 * connection string of an account, or the dead letter of a topic of some schema. */
#include <assert.h>
#include <string.h>

#include "blob/listing.h"
#include "blob/sign.h"
#include "event/dead_letter.h"
#include "fuzz.h"

static void check_listing(struct slice text)
{
    struct blob_listing listing;

    if (blob_listing_read(text, &listing, NULL) != E_OK)
        return;
    assert(listing.count <= BLOB_ITEMS_MAX);
    for (size_t i = 0; i < listing.count; i++)
        assert(listing.names[i].len <= text.len);
    blob_listing_done(&listing);
}

static void check_account(struct slice text)
{
    static const struct blob_request request = {
        .method = SLICE_INIT("PUT"), .path = SLICE_INIT("/c/b"), .content_length = 1};
    struct blob_account account;
    struct cause why = {0};
    struct buf out;

    if (blob_account_read(text, &account, &why) != E_OK) {
        assert(why.text[0] != '\0');
        return;
    }
    assert((account.key == NULL) != (account.sas == NULL) && account.name != NULL);
    buf_init(&out, 1 << 20);
    if (account.key != NULL)
        assert(blob_add_authorization(&out, &account, &request) == E_OK);
    buf_done(&out);
    blob_account_done(&account);
}

static void check_dead_letter(enum event_schema schema, struct slice text)
{
    const struct event_rules rules = {.schema = schema, .topic = SLICE("/t")};
    struct event *event = NULL;
    struct dead_letter dead;

    if (dead_letter_read(&rules, text, &event, &dead, NULL) != E_OK)
        return;
    assert(dead.reason.len > 0);
    event_unref(event);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0)
        return 0;
    struct slice text = {(const char *)data + 1, len - 1};
    if (data[0] == 'x')
        check_listing(text);
    else if (data[0] == 'a')
        check_account(text);
    else
        check_dead_letter((enum event_schema)(data[0] % 3), text);
    return 0;
}
