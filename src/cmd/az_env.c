#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/id.h"
#include "base/mem.h"
#include "cmd/client.h"
#include "cmd/commands.h"
#include "cmd/input.h"
#include "cmd/shell.h"
#include "store/datadir.h"
#include "json/member.h"

#define PATH_BYTES_MAX 4096
#define FILE_BYTES_MAX (4u * 1024 * 1024)
#define CLOUD "Local"           /* never AzureCloud, for which az asks the Internet */
#define BUNDLE "redgrid-ca.crt" /* in a folder that we made */
#define NO_SECRET "none-is-demanded"

static const struct option options[] = {
    {.flag = "--dir",
     .takes = "DIR",
     .description = "Where to write the configuration [DATA/azure of the server]."},
    {.flag = "--ca",
     .takes = "FILE",
     .description = "Who signed the server's certificate [DATA/tls/ca.crt of the server]."},
    {.flag = "--sdk",
     .description = "Print too what Azure's SDKs read, with the client's secret in it."},
};

/* What the server says of itself, and where it goes. Texts are of `answer`. */
struct az {
    struct answer answer;
    const char *url; /* of HTTPS, without a slash at its end */
    const char *tenant, *subscription, *client, *secret;
    char folder[PATH_BYTES_MAX];
    char bundle[PATH_BYTES_MAX + sizeof BUNDLE];
};

/* ---- the files, as az keeps them ---- */

static void write_config(struct buf *out, const struct az *az)
{
    (void)az;
    buf_add(out, SLICE("[cloud]\nname = " CLOUD "\n"));
}

static void write_clouds(struct buf *out, const struct az *az)
{
    buf_add(out, SLICE("[" CLOUD "]\n"));
    buf_addf(out, "endpoint_resource_manager = %s\n", az->url);
    buf_addf(out, "endpoint_management = %s/\n", az->url);
    buf_addf(out, "endpoint_gallery = %s\n", az->url);
    buf_addf(out, "endpoint_active_directory = %s/adfs\n", az->url);
    buf_addf(out, "endpoint_active_directory_resource_id = %s/\n", az->url);
    buf_addf(out, "endpoint_active_directory_graph_resource_id = %s/graph\n", az->url);
    buf_addf(out, "subscription = %s\n", az->subscription);
}

static void write_profile(struct buf *out, const struct az *az)
{
    struct id id = id_secret();

    member_open(out, "subscriptions");
    buf_add_byte(out, '[');
    member_text(out, "id", slice_of(az->subscription));
    member_text(out, "name", SLICE(CLOUD));
    member_text(out, "state", SLICE("Enabled"));
    member_open(out, "user");
    member_text(out, "name", slice_of(az->client));
    member_text(out, "type", SLICE("servicePrincipal"));
    buf_add_byte(out, '}');
    member_bool(out, "isDefault", true);
    member_text(out, "tenantId", slice_of(az->tenant));
    member_text(out, "environmentName", SLICE(CLOUD));
    member_text(out, "homeTenantId", slice_of(az->tenant));
    member_json(out, "managedByTenants", SLICE("[]"));
    buf_add(out, SLICE("}]"));
    member_text(out, "installationId", id_slice(&id));
    buf_add(out, SLICE("}\n"));
}

static void write_principal(struct buf *out, const struct az *az)
{
    buf_add_byte(out, '[');
    member_text(out, "tenant", slice_of(az->tenant));
    member_text(out, "client_id", slice_of(az->client));
    member_text(out, "client_secret", slice_of(az->secret));
    buf_add(out, SLICE("}]\n"));
}

static const struct file {
    const char *name;
    void (*write)(struct buf *out, const struct az *az);
    bool is_kept; /* as it is, if it is there: `az config set` writes it too */
} files[] = {
    {"config", write_config, true},
    {"clouds.config", write_clouds, false},
    {"azureProfile.json", write_profile, false},
    {"service_principal_entries.json", write_principal, false},
};

/* What az remembers of where it logged in before, maybe at another port. */
static const char *const stale[] = {"msal_token_cache.json", "msal_token_cache.bin",
                                    "msal_http_cache.bin"};

static bool is_there(const struct az *az, const char *name)
{
    char path[PATH_BYTES_MAX + 64];

    snprintf(path, sizeof path, "%s/%s", az->folder, name);
    return access(path, F_OK) == 0;
}

static int write_file(const struct az *az, const char *name, const struct buf *text)
{
    struct cause why = {0};

    if (buf_err(text))
        return complain(EXIT_FAILED, "%s: is too large", name);
    enum err err = folder_replace(az->folder, name, buf_slice(text), &why);
    return err == E_OK ? EXIT_OK : complain(EXIT_FAILED, "%s", cause_text(&why, err));
}

static int write_files(const struct az *az)
{
    char path[PATH_BYTES_MAX + 64];
    int code = EXIT_OK;

    for (size_t i = 0; i < COUNT_OF(files) && code == EXIT_OK; i++) {
        struct buf text;
        if (files[i].is_kept && is_there(az, files[i].name))
            continue;
        buf_init(&text, FILE_BYTES_MAX);
        files[i].write(&text, az);
        code = write_file(az, files[i].name, &text);
        buf_done(&text);
    }
    for (size_t i = 0; i < COUNT_OF(stale); i++) {
        snprintf(path, sizeof path, "%s/%s", az->folder, stale[i]);
        (void)unlink(path); /* it may not be there */
    }
    return code;
}

/* ---- the authorities that are trusted ---- */

/* The bundle replaces what az trusts else; with the system's authorities in it, it still reaches
 * the Internet: for a template, say. */
static void add_others(struct buf *out, const struct az *az)
{
    const char *const places[] = {
        getenv("REQUESTS_CA_BUNDLE"),
        getenv("SSL_CERT_FILE"),
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/cert.pem",
    };

    for (size_t i = 0; i < COUNT_OF(places); i++) {
        const char *place = places[i];
        if (place == NULL || strcmp(place, az->bundle) == 0 || access(place, R_OK) != 0)
            continue;
        if (input_read(place, out) == EXIT_OK && out->len > 0 && out->data[out->len - 1] != '\n')
            buf_add_byte(out, '\n');
        return;
    }
}

static int read_authority(const struct cmdline *line, const struct az *az, struct buf *ret)
{
    const char *own = field_text(az->answer.json, "authority", NULL);
    const char *given = cmdline_value(line, "--ca");

    if (given != NULL)
        return input_read(given, ret);
    if (own == NULL) /* the operator's own certificate: the system knows who signed it */
        return EXIT_OK;
    if (access(own, R_OK) == 0)
        return input_read(own, ret);
    return complain(EXIT_FAILED,
                    "%s: %s: copy this file of the server, and name the copy with --ca", own,
                    strerror(errno));
}

static int write_bundle(const struct cmdline *line, const struct az *az)
{
    struct buf text;

    buf_init(&text, FILE_BYTES_MAX);
    add_others(&text, az);
    int code = read_authority(line, az, &text);
    if (code == EXIT_OK)
        code = write_file(az, BUNDLE, &text);
    buf_done(&text);
    return code;
}

/* ---- the folder ---- */

static bool is_empty(const char *path)
{
    DIR *folder = opendir(path);
    size_t count = 0;

    if (folder == NULL)
        return errno == ENOENT;
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count <= 2; /* . and .. */
}

/* Nothing of the user's own is touched: the folder is new, or was made by us. */
static int make_folder(const struct cmdline *line, struct az *az)
{
    const char *data = field_text(az->answer.json, "data", "");
    const char *given = cmdline_value(line, "--dir");
    struct cause why = {0};

    snprintf(az->folder, sizeof az->folder, "%s%s", given != NULL ? given : data,
             given != NULL ? "" : "/azure");
    if (!is_there(az, BUNDLE) && !is_empty(az->folder))
        return complain(EXIT_FAILED,
                        "%s: is there already, and was not made by this command: choose another "
                        "folder with --dir",
                        az->folder);
    enum err err = folder_make(az->folder, &why);
    if (err != E_OK)
        return complain(EXIT_FAILED, "%s: choose another folder with --dir", cause_text(&why, err));
    char *whole = realpath(az->folder, NULL);
    if (whole == NULL || strlen(whole) >= sizeof az->folder || chmod(whole, 0700) != 0) {
        free(whole);
        return complain(EXIT_FAILED, "%s: %s", az->folder, strerror(errno));
    }
    snprintf(az->folder, sizeof az->folder, "%s", whole);
    snprintf(az->bundle, sizeof az->bundle, "%s/" BUNDLE, whole);
    free(whole);
    return EXIT_OK;
}

/* ---- what is printed ---- */

static void add_variable(struct buf *out, bool is_json, const char *name, const char *value)
{
    if (is_json) {
        member_text(out, name, slice_of(value));
        return;
    }
    buf_addf(out, "export %s=", name);
    shell_add_word(out, value);
    buf_add_byte(out, '\n');
}

static int print_variables(const struct cmdline *line, const struct az *az)
{
    const struct variable {
        const char *name, *value;
        bool is_sdk;
    } variables[] = {
        {"AZURE_CONFIG_DIR", az->folder, false},
        {"REQUESTS_CA_BUNDLE", az->bundle, false},
        {"AZURE_CORE_COLLECT_TELEMETRY", "0", false},
        {"NODE_EXTRA_CA_CERTS", az->bundle, true},
        {"AZURE_AUTHORITY_HOST", az->url, true},
        {"AZURE_TENANT_ID", "adfs", true}, /* the only one for which SDKs ask nobody else */
        {"AZURE_CLIENT_ID", az->client, true},
        {"AZURE_CLIENT_SECRET", az->secret, true},
        {"AZURE_SUBSCRIPTION_ID", az->subscription, true},
    };
    bool is_sdk = cmdline_value(line, "--sdk") != NULL;
    struct buf out;

    buf_init(&out, FILE_BYTES_MAX);
    for (size_t i = 0; i < COUNT_OF(variables); i++)
        if (is_sdk || !variables[i].is_sdk)
            add_variable(&out, line->is_json, variables[i].name, variables[i].value);
    if (line->is_json)
        buf_add(&out, SLICE("}\n"));
    return print(&out);
}

/* ---- the command ---- */

static int read_answer(struct az *az)
{
    const json_t *json = az->answer.json;

    az->url = field_text(json, "resourceManager", "");
    az->tenant = field_text(json, "tenantId", "");
    az->subscription = field_text(json, "subscriptionId", "");
    az->client = field_text(json, "clientId", "");
    az->secret = field_text(json, "clientSecret", NO_SECRET);
    if (az->url[0] == '\0')
        return complain(EXIT_FAILED, "the server has no HTTPS, without which az sends no token: "
                                     "start it with --listen-https");
    return EXIT_OK;
}

static int run(const struct cmdline *line)
{
    struct az az = {0};
    int code =
        client_ask(line, &(struct question){.method = "GET", .path = "/api/azure"}, &az.answer);

    if (code != EXIT_OK)
        return code;
    code = read_answer(&az);
    if (code == EXIT_OK)
        code = make_folder(line, &az);
    if (code == EXIT_OK)
        code = write_bundle(line, &az); /* first: it tells that the folder is ours */
    if (code == EXIT_OK)
        code = write_files(&az);
    if (code == EXIT_OK)
        code = print_variables(line, &az);
    answer_done(&az.answer);
    return code;
}

const struct command az_env_command = {
    .name = "az-env",
    .takes = "",
    .summary = "Make the Azure command line talk to this server.",
    .details = "Use it as: eval \"$(redgrid az-env)\". It writes a configuration folder for az, "
               "logged in, and prints the\nvariables that make az use it; az's own configuration "
               "stays as it is.\n",
    .options = options,
    .option_count = COUNT_OF(options),
    .asks_server = true,
    .run = run,
};
