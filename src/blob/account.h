/* blob/account.h - storage accounts: where their blobs are, and what opens them.
 * An account is given by its connection string, as the portal of Azure and Azurite show it:
 *   AccountName=a;AccountKey=..;BlobEndpoint=http://127.0.0.1:10000/a     a key, or instead of it
 *   SharedAccessSignature=sv=..&sig=..                                    a SAS
 * Without BlobEndpoint it is https://NAME.blob.core.windows.net (DefaultEndpointsProtocol,
 * EndpointSuffix). Rules: keys and signatures are never in a message. Pure. */
#ifndef BLOB_ACCOUNT_H
#define BLOB_ACCOUNT_H

#include "wire/url.h"

struct blob_account {
    char *name;
    char *endpoint; /* "http://127.0.0.1:10000/devstoreaccount1": no slash at its end */
    struct url url; /* of the endpoint */
    char *key;      /* Base64; NULL = sas */
    char *sas;      /* "sv=..&sig=.."; NULL = key */
};

/* blob_account_read: E_OK and *ret, which blob_account_done() ends; or E_BAD_INPUT with the part
 * that is wrong in `why`. */
enum err blob_account_read(struct slice connection, struct blob_account *ret, struct cause *why);
void blob_account_done(struct blob_account *account); /* leaves zeroes */

/* blob_account_read_url reads the URL of a container with a SAS:
 * `https://HOST[/ACCOUNT]/CONTAINER?SAS`. E_OK, *ret, and *ret_container, which is in `text`; or
 * E_BAD_INPUT, E_LIMIT with what is wrong in `why`. */
enum err blob_account_read_url(struct slice text, struct blob_account *ret,
                               struct slice *ret_container, struct cause *why);

/* All that the settings name. A zeroed one has none. */
struct blob_accounts {
    struct blob_account *rows;
    size_t count;
};
/* blob_accounts_add: as blob_account_read(); a name may be there once. */
enum err blob_accounts_add(struct blob_accounts *accounts, struct slice connection,
                           struct cause *why);
/* blob_accounts_find finds one by its name, or by a resource id that ends with it, in any case;
 * NULL. */
const struct blob_account *blob_accounts_find(const struct blob_accounts *accounts,
                                              struct slice id);
void blob_accounts_done(struct blob_accounts *accounts);

#endif
