/* Queues on a real server: what each step leaves behind, and that none loses or repeats. */
#include "store/queue_fixture.h"

static void an_entry_is_taken_once_and_finished(void **state)
{
    (void)state;
    open_queue();
    append("a");
    append("");
    append("c");
    expect_stats(3, 0, 0, 0);
    assert_string_equal(take("n1", 2), "a ");
    char first[40];
    snprintf(first, sizeof first, "%s", ids[0]);
    assert_string_equal(take("n2", 10), "c");
    assert_string_equal(take("n1", 10), "");
    expect_stats(3, 3, 0, 0);
    finish(first);
    finish(first); /* again is no error */
    expect_stats(2, 2, 0, 0);
}

static void open_again_keeps_the_position_and_appends_come_before_it(void **state)
{
    (void)state;
    append("early");
    open_queue();
    assert_int_equal(queue_open(queue, call()), E_OK);
    test_wait(loop, test_call_is_done, &answer);
    answer.call.reply = answer.kept; /* the box is gone from the call by now */
    assert_true(queue_is_open(&answer.call, answer.err));
    assert_string_equal(take("n1", 10), "early");
}

static void a_parked_entry_comes_back_when_it_is_due_with_its_state(void **state)
{
    (void)state;
    open_queue();
    append("a");
    append("b");
    take("n1", 2);
    char b[40];
    snprintf(b, sizeof b, "%s", ids[1]);
    park(ids[0], 5000, "1 500 GenericError");
    park(b, 4000, "1 503");
    expect_stats(2, 0, 2, 0);
    assert_string_equal(take_due("n2", 3999), "");
    assert_int_equal(due_unix_ms, 4000);
    assert_string_equal(take_due("n2", 4000), "b:1 503");
    assert_int_equal(due_unix_ms, 5000);
    expect_stats(2, 1, 1, 0);
    assert_string_equal(take_due("n2", 4000), ""); /* it is held now */
    assert_string_equal(take_due("n2", 9000), "a:1 500 GenericError");
    assert_int_equal(due_unix_ms, UINT64_MAX);
    finish(ids[0]);
    finish(b);
    expect_stats(0, 0, 0, 0);
}

static void what_a_gone_node_held_is_adopted_but_not_what_it_parked(void **state)
{
    uint32_t at = 0;
    struct slice name;
    (void)state;
    open_queue();
    append("a");
    append("b");
    append("c");
    take("gone", 3);
    park(ids[1], 5000, "1");
    assert_string_equal(entries(adopt("gone", "-", 1)), "a");
    assert_string_equal(entries(adopt("gone", "-", 9)), "c");
    (void)ended(queue_holders(queue, call()));
    assert_true(queue_holder_next(answer.kept, &at, &name));
    assert_true(slice_eq(name, SLICE("gone")));
    assert_string_equal(entries(adopt("gone", "-", 9)), "");
    (void)ended(queue_holders(queue, call()));
    at = 0;
    assert_true(queue_holder_next(answer.kept, &at, &name));
    assert_true(slice_eq(name, SLICE("me")));
    assert_false(queue_holder_next(answer.kept, &at, &name));
    expect_stats(3, 2, 1, 0);
}

static void a_node_finds_page_by_page_what_it_holds_itself(void **state)
{
    (void)state;
    open_queue();
    append("a");
    append("b");
    append("c");
    take("me", 3);
    assert_string_equal(entries(adopt("me", "-", 2)), "a b");
    ids[1][strlen(ids[1]) - 1]++; /* the id behind b */
    assert_string_equal(entries(adopt("me", ids[1], 2)), "c");
    assert_string_equal(entries(adopt("me", "99999999999999-0", 2)), "");
    expect_stats(3, 3, 0, 0);
}

/* It was only slow: another node has the entry, and then has delivered it. */
static void a_node_that_comes_back_does_not_revive_what_is_finished(void **state)
{
    (void)state;
    open_queue();
    append("a");
    take("slow", 1);
    entries(adopt("slow", "-", 9));
    park(ids[0], 5000, "1"); /* by the slow one, while we deliver */
    expect_stats(1, 0, 1, 0);
    finish(ids[0]); /* by us */
    expect_stats(0, 0, 0, 0);
    park(ids[0], 5000, "2");
    assert_int_equal(
        number(queue_bury(queue, slice_of(ids[0]),
                          &(struct queue_field){SLICE("reason"), SLICE("late")}, 1, call())),
        0);
    expect_stats(0, 0, 0, 0);
}

static void a_dead_letter_keeps_all_and_is_redriven_or_purged(void **state)
{
    const struct queue_field fields[] = {{SLICE("reason"), SLICE("TimeToLiveExceeded")},
                                         {SLICE("attempts"), SLICE("3")}};
    struct queue_dead_entry dead;
    uint32_t at = 0;
    char id[40];

    (void)state;
    open_queue();
    append("a");
    append("b");
    take("n1", 2);
    assert_int_equal(number(queue_bury(queue, slice_of(ids[0]), fields, 2, call())), 1);
    assert_int_equal(number(queue_bury(queue, slice_of(ids[1]), fields, 2, call())), 1);
    expect_stats(0, 0, 0, 2);
    (void)ended(queue_dead(queue, &all_dead, call()));
    assert_true(queue_dead_next(answer.kept, &at, &dead));
    assert_true(slice_eq(dead.body, SLICE("a")) && slice_eq(dead.head, SLICE("head")));
    assert_true(slice_eq(queue_dead_field(&dead, SLICE("reason")), SLICE("TimeToLiveExceeded")));
    assert_true(slice_eq(queue_dead_field(&dead, SLICE("attempts")), SLICE("3")));
    assert_null(queue_dead_field(&dead, SLICE("nothing")).data);
    snprintf(id, sizeof id, "%.*s", SLICE_ARG(dead.id));
    const struct slice first[] = {slice_of(id), SLICE("1-1")};
    assert_int_equal(number(queue_redrive(queue, first, 2, call())), 1);
    assert_int_equal(number(queue_redrive(queue, first, 2, call())), 0);
    expect_stats(1, 0, 0, 1);
    assert_string_equal(take("n1", 10), "a");
    at = 0;
    (void)ended(queue_dead(queue, &all_dead, call()));
    assert_true(queue_dead_next(answer.kept, &at, &dead));
    assert_false(queue_dead_next(answer.kept, &at, &dead));
    assert_int_equal(number(queue_purge(queue, first, 1, call())), 0); /* it is gone from there */
    (void)ended(queue_dead(queue, &all_dead, call()));
    at = 0;
    assert_true(queue_dead_next(answer.kept, &at, &dead));
    snprintf(id, sizeof id, "%.*s", SLICE_ARG(dead.id));
    assert_int_equal(number(queue_purge(queue, first, 1, call())), 1);
    expect_stats(1, 1, 0, 0);
}

/* Makes 25 dead letters with bodies of 10 bytes, dead at 1000-1 to 1000-25. */
static void bury_many(void)
{
    char args[64], id[16];

    for (int i = 1; i <= 25; i++) {
        snprintf(args, sizeof args, "XADD rg:{q:s1}:dead 1000-%d h h b body-%05d reason r", i, i);
        snprintf(id, sizeof id, "1000-%d", i);
        test_ask(loop, redis, args, id);
    }
}

/* "4 5 6": the sequences of what the last call brought. */
static const char *dead(enum err err)
{
    struct queue_dead_entry entry;
    uint32_t at = 0;
    size_t len = 0;

    (void)ended(err);
    came[0] = '\0';
    while (queue_dead_next(answer.kept, &at, &entry)) {
        assert_int_equal(entry.died_unix_ms, 1000);
        len += (size_t)snprintf(came + len, sizeof came - len, "%s%.*s", len > 0 ? " " : "",
                                SLICE_ARG(slice_from(entry.id, 5)));
    }
    return came;
}

static void dead_letters_come_in_pages_bounded_by_count_bytes_and_ids(void **state)
{
    static const struct {
        const char *after, *until;
        size_t count, bytes;
        const char *expected;
    } rows[] = {
        {"", "", 3, 1000, "1 2 3"},
        {"1000-7", "", 3, 1000, "8 9 10"},
        {"1000-7", "", 12, 1000, "8 9 10 11 12 13 14 15 16 17 18 19"},
        {"1000-22", "", 12, 1000, "23 24 25"},
        {"1000-25", "", 12, 1000, ""},
        {"1000-3", "1000-5", 12, 1000, "4 5"},
        {"1000", "1000", 2, 1000, "1 2"}, /* times are whole milliseconds */
        {"1001", "", 2, 1000, ""},
        {"", "999", 2, 1000, ""},
        {"", "", 12, 21, "1 2 3"}, /* the third goes beyond */
        {"", "", 12, 1, "1"},
    };
    const struct slice some[] = {SLICE("1000-9"), SLICE("1000-77"), SLICE("1000-2")};

    (void)state;
    bury_many();
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_string_equal(dead(queue_dead(queue,
                                            &(struct queue_dead_range){
                                                slice_of(rows[i].after), slice_of(rows[i].until),
                                                rows[i].count, rows[i].bytes},
                                            call())),
                            rows[i].expected);
    assert_string_equal(dead(queue_dead_find(queue, some, 3, 1000, call())), "9 2");
    assert_string_equal(dead(queue_dead_find(queue, some, 3, 10, call())), "9");
    const struct resp *edge = ended(queue_dead_edge(queue, call()));
    assert_true(queue_dead_is_id(edge->text));
    assert_true(queue_dead_time(edge->text) + 60000 > clock_unix_ms());
    test_ask(loop, redis, "XADD rg:{q:s1}:dead 9000000000000-7 h h b b", "9000000000000-7");
    edge = ended(queue_dead_edge(queue, call()));
    assert_true(slice_eq(edge->text, SLICE("9000000000000-7")));
    assert_true(queue_dead_is_id(SLICE("1000-9")));
    assert_false(queue_dead_is_id(SLICE("1000")) || queue_dead_is_id(SLICE("-")) ||
                 queue_dead_is_id(SLICE("a-1")) || queue_dead_is_id(SLICE("1-1-1")));
}

static void deleted_is_all_gone(void **state)
{
    (void)state;
    open_queue();
    append("a");
    append("b");
    take("n1", 1);
    park(ids[0], 1, "s");
    assert_int_equal(number(queue_delete(queue, call())), 3); /* events, due, state */
    test_ask(loop, redis, "DBSIZE", "0");
    expect_stats(0, 0, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_entry_is_taken_once_and_finished, begin, end),
        cmocka_unit_test_setup_teardown(open_again_keeps_the_position_and_appends_come_before_it,
                                        begin, end),
        cmocka_unit_test_setup_teardown(a_parked_entry_comes_back_when_it_is_due_with_its_state,
                                        begin, end),
        cmocka_unit_test_setup_teardown(what_a_gone_node_held_is_adopted_but_not_what_it_parked,
                                        begin, end),
        cmocka_unit_test_setup_teardown(a_node_finds_page_by_page_what_it_holds_itself, begin, end),
        cmocka_unit_test_setup_teardown(a_node_that_comes_back_does_not_revive_what_is_finished,
                                        begin, end),
        cmocka_unit_test_setup_teardown(a_dead_letter_keeps_all_and_is_redriven_or_purged, begin,
                                        end),
        cmocka_unit_test_setup_teardown(dead_letters_come_in_pages_bounded_by_count_bytes_and_ids,
                                        begin, end),
        cmocka_unit_test_setup_teardown(deleted_is_all_gone, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
