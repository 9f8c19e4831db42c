#include "blob/account.h"

#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/mem.h"

#define KEY_MAX_BYTES 256

enum part { NAME, KEY, SAS, ENDPOINT, PROTOCOL, SUFFIX, PART_COUNT };

static const struct slice part_names[PART_COUNT] = {
    [NAME] = SLICE_INIT("AccountName"),
    [KEY] = SLICE_INIT("AccountKey"),
    [SAS] = SLICE_INIT("SharedAccessSignature"),
    [ENDPOINT] = SLICE_INIT("BlobEndpoint"),
    [PROTOCOL] = SLICE_INIT("DefaultEndpointsProtocol"),
    [SUFFIX] = SLICE_INIT("EndpointSuffix"),
};

/* Parts of other names (TableEndpoint, ..) are for others. */
static enum err cut(struct slice text, struct slice parts[PART_COUNT], struct cause *why)
{
    struct slice part;

    while (slice_cut(&text, ';', &part)) {
        part = slice_trim(part);
        size_t equals = slice_find_byte(part, '=');
        if (part.len == 0)
            continue;
        if (equals == part.len)
            return cause_set(why, E_BAD_INPUT,
                             "is no connection string: NAME=VALUE parts, separated by ';', as "
                             "AccountName=..;AccountKey=..;BlobEndpoint=..");
        for (size_t i = 0; i < PART_COUNT; i++)
            if (slice_eq_nocase(slice_first(part, equals), part_names[i]))
                parts[i] = slice_from(part, equals + 1);
    }
    return E_OK;
}

static bool is_base64(struct slice key)
{
    struct buf bytes;

    buf_init(&bytes, KEY_MAX_BYTES);
    bool is_good = base64_decode(&bytes, key) == E_OK && bytes.len > 0;
    if (bytes.data != NULL)
        explicit_bzero(bytes.data, bytes.len);
    buf_done(&bytes);
    return is_good;
}

static void set_endpoint(struct blob_account *account, const struct slice parts[PART_COUNT])
{
    struct slice suffix = parts[SUFFIX].len > 0 ? parts[SUFFIX] : SLICE("core.windows.net");
    struct slice protocol = parts[PROTOCOL].len > 0 ? parts[PROTOCOL] : SLICE("https");
    struct slice endpoint = parts[ENDPOINT];
    struct buf out;

    buf_init(&out, URL_MAX_BYTES);
    while (endpoint.len > 0 && endpoint.data[endpoint.len - 1] == '/')
        endpoint.len--;
    if (endpoint.len > 0)
        buf_add(&out, endpoint);
    else
        buf_addf(&out, "%.*s://%.*s.blob.%.*s", SLICE_ARG(protocol), SLICE_ARG(parts[NAME]),
                 SLICE_ARG(suffix));
    account->endpoint = slice_dup(buf_slice(&out));
    buf_done(&out);
}

/* A connection string with a SAS names no account: it is the path, or the host's first label. */
static struct slice name_of(const struct url *url)
{
    struct slice path = slice_from(url->path, 1);

    return path.len > 0 ? slice_first(path, slice_find_byte(path, '/'))
                        : slice_first(url->host, slice_find_byte(url->host, '.'));
}

static enum err read_parts(const struct slice parts[PART_COUNT], struct blob_account *account,
                           struct cause *why)
{
    struct slice sas = parts[SAS];

    if (sas.len > 0 && sas.data[0] == '?') /* as it is copied from a URL */
        sas = slice_from(sas, 1);
    if (parts[NAME].len == 0 && parts[ENDPOINT].len == 0)
        return cause_set(why, E_BAD_INPUT, "AccountName: is missing");
    if ((parts[KEY].len == 0) == (sas.len == 0))
        return cause_set(why, E_BAD_INPUT, "needs one of AccountKey and SharedAccessSignature");
    if (parts[KEY].len > 0 && !is_base64(parts[KEY]))
        return cause_set(why, E_BAD_INPUT, "AccountKey: is not Base64");
    set_endpoint(account, parts);
    enum err err = url_parse(slice_of(account->endpoint), &account->url, why);
    if (err)
        return cause_wrap(why, err, "BlobEndpoint");
    if (account->url.scheme == URL_UNIX || account->url.query.len > 0)
        return cause_set(why, E_BAD_INPUT,
                         "BlobEndpoint: is not http://HOST[:PORT][/ACCOUNT] or https://..");
    account->name = slice_dup(parts[NAME].len > 0 ? parts[NAME] : name_of(&account->url));
    account->sas = sas.len > 0 ? slice_dup(sas) : NULL;
    account->key = parts[KEY].len > 0 ? slice_dup(parts[KEY]) : NULL;
    return E_OK;
}

enum err blob_account_read(struct slice connection, struct blob_account *ret, struct cause *why)
{
    struct slice parts[PART_COUNT] = {0};
    struct blob_account account = {0};
    enum err err = cut(connection, parts, why);

    if (err == E_OK)
        err = read_parts(parts, &account, why);
    if (err)
        blob_account_done(&account);
    else
        *ret = account;
    return err;
}

/* Names of containers need no escapes. */
static bool is_container(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '$')
            return false;
    }
    return name.len > 0;
}

enum err blob_account_read_url(struct slice text, struct blob_account *ret,
                               struct slice *ret_container, struct cause *why)
{
    struct url url;
    enum err err = url_parse(text, &url, why);

    if (err)
        return err;
    struct slice path = url.path;
    while (path.len > 1 && path.data[path.len - 1] == '/')
        path.len--;
    size_t start = path.len;
    while (start > 1 && path.data[start - 1] != '/')
        start--;
    struct slice container = slice_from(path, start);
    if (url.scheme == URL_UNIX || !is_container(container))
        return cause_set(why, E_BAD_INPUT, "is not https://HOST/CONTAINER?SAS");
    if (url.query.len < 2)
        return cause_set(why, E_BAD_INPUT, "has no SAS: https://HOST/CONTAINER?SAS");
    struct slice endpoint = {text.data, (size_t)(container.data - text.data)};
    while (endpoint.data[endpoint.len - 1] == '/')
        endpoint.len--;
    struct blob_account account = {.endpoint = slice_dup(endpoint)};
    err = url_parse(slice_of(account.endpoint), &account.url, why);
    account.name = slice_dup(err == E_OK ? name_of(&account.url) : SLICE_NONE);
    account.sas = slice_dup(slice_from(url.query, 1));
    if (err)
        blob_account_done(&account);
    else {
        *ret = account;
        *ret_container = container;
    }
    return err;
}

static void free_secret(char *secret)
{
    if (secret != NULL)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

void blob_account_done(struct blob_account *account)
{
    free(account->name);
    free(account->endpoint);
    free_secret(account->key);
    free_secret(account->sas);
    *account = (struct blob_account){0};
}

enum err blob_accounts_add(struct blob_accounts *accounts, struct slice connection,
                           struct cause *why)
{
    struct blob_account account;
    enum err err = blob_account_read(connection, &account, why);

    if (err)
        return err;
    if (blob_accounts_find(accounts, slice_of(account.name)) != NULL) {
        err = cause_set(why, E_BAD_INPUT, "names account %s twice", account.name);
        blob_account_done(&account);
        return err;
    }
    accounts->rows = mem_resize(accounts->rows, accounts->count + 1, sizeof account);
    accounts->rows[accounts->count++] = account;
    return E_OK;
}

const struct blob_account *blob_accounts_find(const struct blob_accounts *accounts, struct slice id)
{
    size_t start = id.len;

    while (start > 0 && id.data[start - 1] != '/')
        start--;
    for (size_t i = 0; i < accounts->count; i++)
        if (slice_eq_nocase(slice_of(accounts->rows[i].name), slice_from(id, start)))
            return &accounts->rows[i];
    return NULL;
}

void blob_accounts_done(struct blob_accounts *accounts)
{
    for (size_t i = 0; i < accounts->count; i++)
        blob_account_done(&accounts->rows[i]);
    free(accounts->rows);
    *accounts = (struct blob_accounts){0};
}
