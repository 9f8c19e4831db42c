#include "caches/cluster_line.h"

#include "caches/testing.h"

#define ID_A "07c37dfeb235213a872192d90877d0cd55635b91"
#define ID_B "e7d1eecce10fd6bb5eb35b9f99a514335d9ba9ca"
#define ID_C "67ed2db8d677e59ec4a4cefb06858cf2a1a89fa1"

static const char answer[] =
    ID_A " 127.0.0.1:30004@31004,host.name slave " ID_B " 0 1426238317239 4 connected\n" ID_C
         " 127.0.0.1:30002@31002 master - 0 1426238316232 2 disconnected 5461-10922 12\r\n" ID_B
         " :0@31001 myself,master - 0 0 1 connected 0-5460 [5461-<-" ID_C "] [93->-" ID_C "]\n"
         "0123456789012345678901234567890123456789 127.0.0.1:30009@31009 handshake,fail? - 1 0 0 "
         "connected\n";

static void lines_are_read(void **state)
{
    struct slice text = slice_of(answer);
    struct cluster_line line;

    (void)state;
    assert_true(cluster_line_next(&text, &line));
    assert_true(slice_eq(line.id, SLICE(ID_A)));
    assert_int_equal(line.bus_port, 31004);
    assert_true(line.is_replica && line.is_met && line.is_connected);
    assert_false(line.is_self || line.is_failing);
    assert_true(slice_eq(line.primary, SLICE(ID_B)));
    assert_int_equal(line.epoch, 4);
    assert_int_equal(line.slots.len, 0);
    assert_true(cluster_line_next(&text, &line));
    assert_false(line.is_replica || line.is_connected);
    assert_true(slice_eq(line.slots, SLICE("5461-10922 12")));
    assert_true(cluster_line_next(&text, &line));
    assert_true(line.is_self);
    assert_int_equal(line.bus_port, 31001);
    assert_true(cluster_line_next(&text, &line));
    assert_true(line.is_failing);
    assert_false(line.is_met);
    assert_false(cluster_line_next(&text, &line));
}

static void slots_are_read(void **state)
{
    static const struct cluster_slots expected[] = {
        {.first = 0, .last = 5460},
        {.first = 7, .last = 7},
        {.kind = SLOTS_IMPORTING, .first = 5461, .last = 5461, .other = SLICE_INIT(ID_C)},
        {.kind = SLOTS_MIGRATING, .first = 93, .last = 93, .other = SLICE_INIT(ID_A)},
    };
    struct slice text = SLICE("0-5460 7 [5461-<-" ID_C "] [93->-" ID_A "]");
    struct cluster_slots slots;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        assert_true(cluster_slots_next(&text, &slots));
        assert_int_equal(slots.kind, expected[i].kind);
        assert_int_equal(slots.first, expected[i].first);
        assert_int_equal(slots.last, expected[i].last);
        assert_true(slice_eq(slots.other, expected[i].other));
    }
    assert_false(cluster_slots_next(&text, &slots));
    assert_int_equal(cluster_slots_count(SLICE("0-5460 7 [93->-" ID_A "]")), 5462);
}

static void what_is_neither_is_passed_over(void **state)
{
    struct slice lines = SLICE("\nno line\n" ID_A " 127.0.0.1:1 master - 0 0 1 connected\n" ID_A
                               " 127.0.0.1:1@99999 master - 0 0 1 connected\n" ID_A
                               " 127.0.0.1:1@2 master - 0 0 x connected\n");
    struct slice slots =
        SLICE("16384 5-16384 9-8 x [] [5] [5->" ID_A "] [16384->-" ID_A "] [5->-" ID_A "0] ");
    struct cluster_line line;
    struct cluster_slots none;

    (void)state;
    assert_false(cluster_line_next(&lines, &line));
    assert_false(cluster_slots_next(&slots, &none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_read),
        cmocka_unit_test(slots_are_read),
        cmocka_unit_test(what_is_neither_is_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
