#include "blob/listing.h"

#include <expat.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

#define ARENA_MAX_BYTES (8u << 20)
#define TEXT_MAX_BYTES 16384
#define DEPTH_MAX 16

/* EnumerationResults > Blobs > Blob > Name; beside Blobs: NextMarker. */
enum depth { AT_ROOT = 1, AT_PART, AT_BLOB, AT_MEMBER };

struct reader {
    struct blob_listing listing;
    XML_Parser parser;
    unsigned depth;
    bool is_in_blobs, is_in_blob;
    struct buf text; /* of the element that is open */
    enum err err;
};

static void fail(struct reader *r, enum err err)
{
    if (r->err == E_OK)
        r->err = err;
    (void)XML_StopParser(r->parser, XML_FALSE);
}

static bool is_name(const XML_Char *name, const char *expected)
{
    return strcmp(name, expected) == 0;
}

static void XMLCALL on_start(void *ctx, const XML_Char *name, const XML_Char **attributes)
{
    struct reader *r = ctx;

    (void)attributes;
    buf_clear(&r->text);
    r->depth++;
    if (r->depth > DEPTH_MAX)
        fail(r, E_LIMIT);
    else if (r->depth == AT_ROOT && !is_name(name, "EnumerationResults"))
        fail(r, E_BAD_WIRE);
    else if (r->depth == AT_PART)
        r->is_in_blobs = is_name(name, "Blobs");
    else if (r->depth == AT_BLOB)
        r->is_in_blob = r->is_in_blobs && is_name(name, "Blob");
}

static void XMLCALL on_text(void *ctx, const XML_Char *text, int len)
{
    struct reader *r = ctx;

    buf_add(&r->text, (struct slice){text, (size_t)len});
    if (buf_err(&r->text) != E_OK)
        fail(r, E_LIMIT);
}

static struct slice keep(struct reader *r, struct slice text)
{
    struct slice copy = arena_copy(&r->listing.arena, text);

    if (text.len > 0 && copy.len == 0)
        fail(r, E_LIMIT);
    return copy;
}

static void add_name(struct reader *r)
{
    if (r->listing.count == BLOB_ITEMS_MAX)
        fail(r, E_LIMIT);
    else
        r->listing.names[r->listing.count++] = keep(r, buf_slice(&r->text));
}

static void XMLCALL on_end(void *ctx, const XML_Char *name)
{
    struct reader *r = ctx;

    if (r->depth == AT_PART && is_name(name, "NextMarker"))
        r->listing.next = keep(r, buf_slice(&r->text));
    else if (r->depth == AT_MEMBER && r->is_in_blob && is_name(name, "Name"))
        add_name(r);
    r->depth--;
    buf_clear(&r->text);
}

/* Nobody who answers well defines entities. */
static void XMLCALL on_doctype(void *ctx, const XML_Char *name, const XML_Char *system,
                               const XML_Char *public, int has_subset)
{
    (void)name;
    (void)system;
    (void)public;
    (void)has_subset;
    fail(ctx, E_BAD_WIRE);
}

static enum err parse(struct reader *r, struct slice xml)
{
    XML_SetUserData(r->parser, r);
    XML_SetElementHandler(r->parser, on_start, on_end);
    XML_SetCharacterDataHandler(r->parser, on_text);
    XML_SetStartDoctypeDeclHandler(r->parser, on_doctype);
    bool is_good = XML_Parse(r->parser, xml.data, (int)xml.len, 1) == XML_STATUS_OK;
    return r->err != E_OK ? r->err : is_good ? E_OK : E_BAD_WIRE;
}

enum err blob_listing_read(struct slice xml, struct blob_listing *ret, struct cause *why)
{
    struct reader r = {0};

    if (xml.len == 0 || xml.len > ARENA_MAX_BYTES)
        return cause_set(why, E_LIMIT, "a listing of %zu bytes", xml.len);
    arena_init(&r.listing.arena, ARENA_MAX_BYTES + BLOB_ITEMS_MAX * sizeof(struct slice));
    r.listing.names = arena_array(&r.listing.arena, BLOB_ITEMS_MAX, struct slice);
    buf_init(&r.text, TEXT_MAX_BYTES);
    r.parser = XML_ParserCreate("UTF-8");
    enum err err = r.parser == NULL || r.listing.names == NULL ? E_LIMIT : parse(&r, xml);
    if (err)
        (void)cause_set(why, err, "the listing is malformed");
    XML_ParserFree(r.parser);
    buf_done(&r.text);
    if (err)
        blob_listing_done(&r.listing);
    else
        *ret = r.listing;
    return err;
}

void blob_listing_done(struct blob_listing *listing)
{
    arena_done(&listing->arena);
    *listing = (struct blob_listing){0};
}
