/* Who comes in, and whom it follows (caches.md 6.2). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "caches/member_internal.h"

#define BIND_MAX_BYTES 4096

/* The users before the addresses, or who comes early is told that the password is wrong. */
void member_admit(struct member *member, const struct member_door *door, struct member_talk *talk)
{
    struct buf bind;

    buf_init(&bind, BIND_MAX_BYTES);
    for (size_t i = 0; i < door->count; i++)
        buf_addf(&bind, "%s ", door->addresses[i]);
    buf_add(&bind, slice_of(member->record.address));
    const struct member_command commands[] = {
        COMMAND(SLICE("REPLICAOF"), SLICE("NO"), SLICE("ONE")),
        COMMAND(SLICE("ACL"), SLICE("SETUSER"), SLICE("default"),
                door->is_key_refused ? SLICE("off") : SLICE("on")),
        COMMAND(SLICE("CONFIG"), SLICE("SET"), SLICE("bind"), buf_slice(&bind)),
    };
    member_talk(member, commands, COUNT_OF(commands), talk);
    buf_done(&bind);
}

enum { SHUT_ROLE = 3 };

/* The addresses before the users: a client that comes between finds no door. The connections last,
 * when no new ones can be made. One write is one turn of the server: none of them sees a part. */
void member_shut(struct member *member, struct member_talk *talk)
{
    const struct member_command commands[] = {
        COMMAND(SLICE("CONFIG"), SLICE("SET"), SLICE("bind"), slice_of(member->record.address)),
        COMMAND(SLICE("ACL"), SLICE("SETUSER"), SLICE("default"), SLICE("off")),
        COMMAND(SLICE("CLIENT"), SLICE("KILL"), SLICE("USER"), SLICE("default")),
        [SHUT_ROLE] = COMMAND(SLICE("ROLE")),
    };

    member_talk(member, commands, COUNT_OF(commands), talk);
}

uint64_t member_shut_offset(const struct member_talk *talk)
{
    struct member_role role = {0};

    (void)member_role_read(member_talk_reply(talk, SHUT_ROLE), &role);
    return role.offset;
}

void member_follow(struct member *member, const char *address, uint16_t port,
                   struct member_talk *talk)
{
    char number[8];

    snprintf(number, sizeof number, "%u", (unsigned)port);
    const struct member_command commands[] = {
        COMMAND(SLICE("REPLICAOF"), slice_of(address), slice_of(number)),
    };
    member_talk(member, commands, COUNT_OF(commands), talk);
}

static bool is_word(const struct resp *node, struct slice word)
{
    return node != NULL && slice_eq(node->text, word);
}

/* master OFFSET (replicas); slave ADDRESS PORT STATE OFFSET */
enum err member_role_read(const struct resp *reply, struct member_role *ret)
{
    const struct resp *word = reply != NULL ? resp_child(reply, 0) : NULL;
    struct member_role role = {.is_primary = is_word(word, SLICE("master"))};
    int64_t offset;

    if (!role.is_primary && !is_word(word, SLICE("slave")))
        return E_BAD_WIRE;
    const struct resp *number = resp_child(reply, role.is_primary ? 1 : 4);
    if (number == NULL || !resp_int(number, &offset))
        return E_BAD_WIRE;
    role.offset = offset > 0 ? (uint64_t)offset : 0; /* -1: a replica that has nothing yet */
    role.is_connected = !role.is_primary && is_word(resp_child(reply, 3), SLICE("connected"));
    *ret = role;
    return E_OK;
}
