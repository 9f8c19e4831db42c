/* Against a server that follows a script. What Azurite says is in the end-to-end tests. */
#include "http/testing.h"

#include <dirent.h>
#include <sys/stat.h>

#include "caches/transfer.h"

#define ATTEMPT "11111111-1111-4111-8111-111111111111"
#define BLOCK_BYTES 100
#define FILE_BYTES 250

static char folder[] = "/tmp/transfer-test-XXXXXX";
static char allowed[64], outside[64], source[96];

struct world {
    struct rig rig;
    struct peer peer;
    struct transfer_ways ways;
    const char *dirs[1];
    char url[128];
    struct op op;
    bool is_ended;
    enum err err;
    struct cause why;
};

static void on_ended(struct op *op, enum err err)
{
    struct world *world = container_of(op, struct world, op);

    world->is_ended = true;
    world->err = err;
    world->why = op->why;
    loop_stop(world->rig.loop);
}

static void world_init(struct world *world, const struct step *steps)
{
    memset(world, 0, sizeof *world);
    if (steps != NULL)
        peer_start(&world->peer, steps, NULL);
    rig_init(&world->rig, 1);
    world->dirs[0] = allowed;
    world->ways = (struct transfer_ways){.loop = world->rig.loop,
                                         .http = world->rig.client,
                                         .dirs = {world->dirs, 1},
                                         .retry_ms = 1,
                                         .block_bytes = BLOCK_BYTES};
    snprintf(world->url, sizeof world->url, "http://127.0.0.1:%u/box/x.rdb?sv=1&sig=geheim",
             world->peer.port);
    world->op.done = on_ended;
}

static enum err world_wait(struct world *world)
{
    world->is_ended = false;
    while (!world->is_ended)
        loop_run(world->rig.loop);
    assert_null(strstr(world->why.text, "geheim"));
    return world->err;
}

static void world_done(struct world *world)
{
    rig_done(&world->rig);
    if (world->peer.port != 0)
        peer_join(&world->peer);
}

/* ---- files ---- */

static const char *path_in(const char *dir, const char *name)
{
    static char path[160];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void write_file(const char *path, const char *bytes, size_t count)
{
    FILE *to = fopen(path, "w");
    assert_non_null(to);
    assert_int_equal(fwrite(bytes, 1, count, to), count);
    fclose(to);
}

static void assert_file(const char *path, const char *want)
{
    char bytes[FILE_BYTES + 1];
    FILE *from = fopen(path, "r");

    assert_non_null(from);
    size_t got = fread(bytes, 1, sizeof bytes - 1, from);
    bytes[got] = '\0';
    fclose(from);
    assert_string_equal(bytes, want);
}

static bool is_there(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

static size_t files_in(const char *path)
{
    DIR *dir = opendir(path);
    size_t count = 0;

    assert_non_null(dir);
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(dir);
    return count;
}

static char content[FILE_BYTES + 1];

static int begin(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(allowed, sizeof allowed, "%s/allowed", folder);
    snprintf(outside, sizeof outside, "%s/outside", folder);
    assert_int_equal(mkdir(allowed, 0700), 0);
    assert_int_equal(mkdir(outside, 0700), 0);
    for (size_t i = 0; i < FILE_BYTES; i++)
        content[i] = (char)('a' + i % 26);
    snprintf(source, sizeof source, "%s/source.rdb", outside);
    write_file(source, content, FILE_BYTES);
    return 0;
}

static int end(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    return system(command);
}

/* ---- fetching ---- */

#define REFUSED                                                                                    \
    "HTTP/1.1 403 No\r\nContent-Length: 0\r\nx-ms-error-code: AuthenticationFailed\r\n\r\n"
#define BUSY "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"
#define BUSY_STEPS                                                                                 \
    {REQUEST, NULL},                                                                               \
    {                                                                                              \
        SEND, BUSY                                                                                 \
    }

static const struct fetch_row {
    const char *name;
    struct step steps[12];
    enum err err;
    const char *why;
} fetch_rows[] = {
    {"a length", {{ACCEPT, NULL}, {REQUEST, NULL}, {SEND, OK_HELLO}, {END, NULL}}, E_OK, ""},
    {"chunks",
     {{ACCEPT, NULL},
      {REQUEST, NULL},
      {DRIP,
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"},
      {END, NULL}},
     E_OK,
     ""},
    {"until close",
     {{ACCEPT, NULL}, {REQUEST, NULL}, {SEND, "HTTP/1.1 200 OK\r\n\r\nhello"}, {END, NULL}},
     E_OK,
     ""},
    {"busy three times",
     {{ACCEPT, NULL},
      BUSY_STEPS,
      BUSY_STEPS,
      BUSY_STEPS,
      {REQUEST, NULL},
      {SEND, OK_HELLO},
      {END, NULL}},
     E_OK,
     ""},
    {"busy for ever",
     {{ACCEPT, NULL}, BUSY_STEPS, BUSY_STEPS, BUSY_STEPS, BUSY_STEPS, {END, NULL}},
     E_FAILED,
     "/box/x.rdb': was answered with 503"},
    {"broken after more than the whole, then well",
     {{ACCEPT, NULL},
      {REQUEST, NULL},
      {SEND, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello and more"},
      {CLOSE, NULL},
      {ACCEPT, NULL},
      {REQUEST, NULL},
      {SEND, OK_HELLO},
      {END, NULL}},
     E_OK,
     ""},
    {"refused",
     {{ACCEPT, NULL}, {REQUEST, NULL}, {SEND, REFUSED}, {END, NULL}},
     E_DENIED,
     "/box/x.rdb': was answered with 403 AuthenticationFailed"},
    {"missing",
     {{ACCEPT, NULL},
      {REQUEST, NULL},
      {SEND, "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"},
      {END, NULL}},
     E_NOT_FOUND,
     "404"},
    {"elsewhere",
     {{ACCEPT, NULL},
      {REQUEST, NULL},
      {SEND, "HTTP/1.1 302 No\r\nContent-Length: 0\r\nLocation: /\r\n\r\n"},
      {END, NULL}},
     E_BAD_INPUT,
     "302"},
    {"larger than any disk",
     {{ACCEPT, NULL},
      {REQUEST, NULL},
      {SEND, "HTTP/1.1 200 OK\r\nContent-Length: 9000000000000000000\r\n\r\n"},
      {END, NULL}},
     E_LIMIT,
     "which is half of what is free on the disk of"},
};

static void files_come_over_http(void **state)
{
    char to[96];

    (void)state;
    snprintf(to, sizeof to, "%s/to.rdb", outside);
    for (size_t i = 0; i < COUNT_OF(fetch_rows); i++) {
        const struct fetch_row *row = &fetch_rows[i];
        struct world world;
        world_init(&world, row->steps);
        transfer_fetch(&world.ways, slice_of(world.url), to, &world.op);
        enum err err = world_wait(&world);
        if (err != row->err || strstr(world.why.text, row->why) == NULL)
            fail_msg("%s: %s, %s", row->name, err_name(err), world.why.text);
        if (err == E_OK)
            assert_file(to, "hello");
        assert_int_equal(is_there(to), err == E_OK);
        world_done(&world);
        unlink(to);
    }
}

static void files_come_from_allowed_directories(void **state)
{
    struct world world;
    char to[96], url[128];

    (void)state;
    snprintf(to, sizeof to, "%s/to.rdb", outside);
    write_file(path_in(allowed, "x.rdb"), content, FILE_BYTES);
    assert_int_equal(symlink(source, path_in(allowed, "far.rdb")), 0);
    world_init(&world, NULL);
    snprintf(url, sizeof url, "file://%s/x.rdb", allowed);
    transfer_fetch(&world.ways, slice_of(url), to, &world.op);
    assert_int_equal(world_wait(&world), E_OK);
    assert_file(to, content);
    unlink(to);
    snprintf(url, sizeof url, "file://%s/far.rdb", allowed);
    transfer_fetch(&world.ways, slice_of(url), to, &world.op);
    assert_int_equal(world_wait(&world), E_DENIED);
    assert_non_null(strstr(world.why.text, "far.rdb': leads out of"));
    assert_false(is_there(to));
    snprintf(url, sizeof url, "file://%s", source);
    transfer_fetch(&world.ways, slice_of(url), to, &world.op);
    assert_int_equal(world_wait(&world), E_DENIED);
    snprintf(url, sizeof url, "file://%s/none.rdb", allowed);
    transfer_fetch(&world.ways, slice_of(url), to, &world.op);
    assert_int_equal(world_wait(&world), E_NOT_FOUND);
    world_done(&world);
    unlink(path_in(allowed, "x.rdb"));
    unlink(path_in(allowed, "far.rdb"));
}

/* Aborts the fetch when a part of the file has come; or at once, if none is asked for. */
struct aborting {
    struct world *world;
    struct timer *timer;
    const char *path;
    off_t bytes;
};

static void abort_it(void *ctx)
{
    struct aborting *aborting = ctx;
    struct stat info;

    if (aborting->bytes > 0 && (stat(aborting->path, &info) != 0 || info.st_size < aborting->bytes))
        return;
    op_abort(&aborting->world->op);
    timer_clear(aborting->timer);
}

static void a_fetch_can_be_aborted(void **state)
{
    static const struct step steps[] = {
        {ACCEPT, NULL},
        {REQUEST, NULL},
        {SEND, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello"},
        {WAIT_CLOSED, NULL},
        {END, NULL}};
    char to[96];

    (void)state;
    snprintf(to, sizeof to, "%s/to.rdb", outside);
    for (int when = 0; when < 4; when++) {
        struct world world;
        struct aborting aborting = {.world = &world, .path = to, .bytes = when == 0 ? 5 : 0};
        world_init(&world, when == 0 ? steps : NULL);
        world.ways.retry_ms = 3600000; /* of a connection that is refused */
        if (when > 0)
            snprintf(world.url, sizeof world.url, "http://127.0.0.1:1/x.rdb?sig=geheim");
        aborting.timer = timer_new(world.rig.loop, abort_it, &aborting);
        transfer_fetch(&world.ways, slice_of(world.url), to, &world.op);
        if (when == 1)
            op_abort(&world.op);
        timer_every(aborting.timer, when < 2 ? 1 : (uint64_t)when * 10 - 19); /* 1, 1, 1, 11 */
        assert_int_equal(world_wait(&world), E_CANCELED);
        assert_false(is_there(to));
        timer_free(aborting.timer);
        world_done(&world);
    }
}

/* ---- uploading ---- */

static struct transfer_target target_of(const char *container)
{
    return (struct transfer_target){slice_of(container), SLICE("c1.rdb"), SLICE(ATTEMPT)};
}

static void a_file_appears_in_a_directory_when_it_is_whole(void **state)
{
    struct world world;
    char url[128];

    (void)state;
    world_init(&world, NULL);
    snprintf(url, sizeof url, "file://%s", allowed);
    struct transfer_target target = target_of(url);
    write_file(path_in(allowed, "c1.rdb"), "old", 3);
    for (int i = 0; i < 2; i++) { /* the second time after a crash in between */
        transfer_upload(&world.ways, &target, source, &world.op);
        assert_int_equal(world_wait(&world), E_OK);
        assert_file(path_in(allowed, "c1.rdb"), "old");
        assert_int_equal(files_in(allowed), 2);
    }
    for (int i = 0; i < 2; i++) {
        transfer_commit(&world.ways, &target, source, &world.op);
        assert_int_equal(world_wait(&world), E_OK);
        assert_file(path_in(allowed, "c1.rdb"), content);
        assert_int_equal(files_in(allowed), 1);
    }
    transfer_upload(&world.ways, &target, source, &world.op);
    assert_int_equal(world_wait(&world), E_OK);
    for (int i = 0; i < 2; i++) {
        transfer_drop(&world.ways, &target, &world.op);
        assert_int_equal(world_wait(&world), E_OK);
        assert_int_equal(files_in(allowed), 1);
    }
    unlink(path_in(allowed, "c1.rdb"));
    transfer_commit(&world.ways, &target, source, &world.op);
    assert_int_equal(world_wait(&world), E_NOT_FOUND);
    transfer_upload(&world.ways, &target, path_in(outside, "none.rdb"), &world.op);
    assert_int_equal(world_wait(&world), E_NOT_FOUND);
    assert_int_equal(files_in(allowed), 0);
    world_done(&world);
}

static void a_directory_that_is_not_allowed_is_refused(void **state)
{
    struct world world;
    char url[128];

    (void)state;
    world_init(&world, NULL);
    assert_int_equal(symlink(outside, path_in(allowed, "away")), 0);
    snprintf(url, sizeof url, "file://%s/away", allowed);
    struct transfer_target target = target_of(url);
    transfer_upload(&world.ways, &target, source, &world.op);
    assert_int_equal(world_wait(&world), E_DENIED);
    assert_int_equal(files_in(outside), 1);
    unlink(path_in(allowed, "away"));
    world_done(&world);
}

#define CREATED "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"
#define BLOCK_ID(n) "MTExMTExMTEtMTExMS00MTExLTgxMTEtMTExMTExMTExMTExLTAwMDAw" n
/* "..-000000" and so on; of 43 bytes. */
#define LATEST(n) "<Latest>" BLOCK_ID(n) "</Latest>"
#define ID_0 BLOCK_ID("MA%3D%3D")
#define ID_1 BLOCK_ID("MQ%3D%3D")
#define ID_2 BLOCK_ID("Mg%3D%3D")

static void blocks_are_put_and_then_committed(void **state)
{
    static const struct step steps[] = {
        {ACCEPT, NULL},  {REQUEST, NULL}, {SEND, CREATED}, BUSY_STEPS,      {REQUEST, NULL},
        {SEND, CREATED}, {REQUEST, NULL}, {SEND, CREATED}, {REQUEST, NULL}, {SEND, BUSY},
        {REQUEST, NULL}, {SEND, CREATED}, {END, NULL}};
    static const char *const want[] = {
        "PUT /box/c1.rdb?blockid=" ID_0 "&comp=block&sv=1&sig=geheim HTTP/1.1\r\n",
        "Content-Length: 100\r\n\r\nabcdefghijklmnopqrstuvwxyzabc",
        "?blockid=" ID_1 "&comp=block",
        "?blockid=" ID_1 "&comp=block",
        "?blockid=" ID_2 "&comp=block",
        "Content-Length: 50\r\n\r\n",
        "PUT /box/c1.rdb?comp=blocklist&sv=1&sig=geheim HTTP/1.1\r\n",
        "PUT /box/c1.rdb?comp=blocklist&sv=1&sig=geheim HTTP/1.1\r\n",
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>" LATEST("MA==") LATEST("MQ==")
            LATEST("Mg==") "</BlockList>",
    };
    struct world world;
    char url[128];

    (void)state;
    world_init(&world, steps);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/box?sv=1&sig=geheim", world.peer.port);
    struct transfer_target target = target_of(url);
    transfer_upload(&world.ways, &target, source, &world.op);
    assert_int_equal(world_wait(&world), E_OK);
    transfer_commit(&world.ways, &target, source, &world.op);
    assert_int_equal(world_wait(&world), E_OK);
    transfer_drop(&world.ways, &target, &world.op);
    assert_int_equal(world_wait(&world), E_OK);
    world_done(&world);
    const char *rest = world.peer.requests;
    for (size_t i = 0; i < COUNT_OF(want); i++) {
        rest = strstr(rest, want[i]);
        if (rest == NULL)
            fail_msg("no %s in:\n%s", want[i], world.peer.requests);
        rest += strlen(want[i]);
    }
}

static void a_signature_that_is_refused_ends_it(void **state)
{
    static const struct step steps[] = {
        {ACCEPT, NULL}, {REQUEST, NULL}, {SEND, REFUSED}, {END, NULL}};
    struct world world;
    char url[128];

    (void)state;
    world_init(&world, steps);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/box?sv=1&sig=geheim", world.peer.port);
    struct transfer_target target = target_of(url);
    transfer_upload(&world.ways, &target, source, &world.op);
    assert_int_equal(world_wait(&world), E_DENIED);
    assert_non_null(strstr(world.why.text, "/box/c1.rdb: 403 AuthenticationFailed"));
    world_done(&world);
}

static void targets_are_checked_before(void **state)
{
    static const struct row {
        const char *container, *name;
        enum err err;
        const char *why;
    } rows[] = {
        {"https://a.blob.core.windows.net/box?sv=1&sig=geheim", "a/b.rdb", E_OK, ""},
        {"http://127.0.0.1:10000/devstoreaccount1/box?sv=1&sig=geheim", "b.rdb", E_OK, ""},
        {"https://a.blob.core.windows.net/box", "b.rdb", E_BAD_INPUT, "container: 'https://a.blob"},
        {"https://a.blob.core.windows.net/?sig=geheim", "b.rdb", E_BAD_INPUT, "container: "},
        {"https://a.blob.core.windows.net/Box?sig=geheim", "b.rdb", E_BAD_INPUT, "CONTAINER?SAS"},
        {"https://a.blob.core.windows.net/box?sig=geheim", "a//b.rdb", E_BAD_INPUT, "prefix: "},
        {"https://a.blob.core.windows.net/box?sig=geheim", "../b.rdb", E_BAD_INPUT, "prefix: "},
        {"https://a.blob.core.windows.net/box?sig=geheim", "a\nb.rdb", E_BAD_INPUT, "prefix: "},
        {"box", "b.rdb", E_BAD_INPUT, "container: "},
        {"file:///tmp/dumps", "b.rdb", E_OK, ""},
        {"file:///tmp/dumps", "a/b.rdb", E_BAD_INPUT, "prefix: has a '/'"},
        {"file:///tmp/dumps", ".b.rdb", E_BAD_INPUT, "prefix: begins with a dot"},
        {"file:///etc", "b.rdb", E_DENIED, "container: 'file:///etc': is not in"},
    };
    const char *const dir = "/tmp/dumps";
    const struct file_dirs dirs = {&dir, 1};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct transfer_target target = {.container = slice_of(rows[i].container),
                                               .name = slice_of(rows[i].name)};
        struct cause why = {0};
        enum err err = transfer_target_check(&target, &dirs, &why);
        if (err != rows[i].err || strstr(why.text, rows[i].why) == NULL ||
            strstr(why.text, "geheim") != NULL)
            fail_msg("%s %s: %s, %s", rows[i].container, rows[i].name, err_name(err), why.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_come_over_http),
        cmocka_unit_test(files_come_from_allowed_directories),
        cmocka_unit_test(a_fetch_can_be_aborted),
        cmocka_unit_test(a_file_appears_in_a_directory_when_it_is_whole),
        cmocka_unit_test(a_directory_that_is_not_allowed_is_refused),
        cmocka_unit_test(blocks_are_put_and_then_committed),
        cmocka_unit_test(a_signature_that_is_refused_ends_it),
        cmocka_unit_test(targets_are_checked_before),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
