/* How many empty invocations a second pass through the socketpair, and what they cost the host.
 * worker_bench WORKER MODULE [IN_FLIGHT [SECONDS]] */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "fake_host.h"

#define PAYLOAD_BYTES 256

static double cpu_us(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void add_request(struct fake_host *host, uint64_t number)
{
    static char payload[PAYLOAD_BYTES];
    char id[37];

    snprintf(id, sizeof id, "%08x-0000-4000-8000-%012llx", (unsigned)number,
             (unsigned long long)number);
    const struct rpc_named input = {SLICE("entry"),
                                    {.kind = RPC_STRING, .text = {payload, sizeof payload}}};
    const struct rpc_named metadata[] = {
        {SLICE("Key"), {.kind = RPC_STRING, .text = SLICE("orders")}},
        {SLICE("Id"), {.kind = RPC_STRING, .text = SLICE("1690000000000-0")}},
        {SLICE("DeliveryCount"), {.kind = RPC_STRING, .text = SLICE("1")}},
    };
    rpc_frame_add(&host->out, RPC_FRAME_PLAIN,
                  &(struct rpc_message){.type = RPC_INVOCATION_REQUEST,
                                        .invocation_request = {
                                            .invocation_id = {id, 36},
                                            .function_id = SLICE("empty"),
                                            .inputs = {&input, 1},
                                            .metadata = {metadata, 3},
                                        }});
}

/* As a host does: take all answers that are there, then send that many new requests at once. */
static uint64_t run(struct fake_host *host, uint64_t in_flight, uint64_t ends_at_ms)
{
    struct rpc_message heard;
    uint64_t sent = 0, done = 0;

    buf_clear(&host->out);
    while (sent < in_flight)
        add_request(host, sent++);
    while (clock_now_ms() < ends_at_ms) {
        fake_host_write(host, buf_slice(&host->out));
        buf_clear(&host->out);
        do {
            if (!fake_host_hear(host, &heard))
                exit(EXIT_FAILURE);
            if (heard.type != RPC_INVOCATION_RESPONSE ||
                heard.invocation_response.result.status != RPC_SUCCESS)
                exit(EXIT_FAILURE);
            done++;
            add_request(host, sent++);
        } while (host->heard < host->in.len);
    }
    return done;
}

int main(int argc, char **argv)
{
    struct fake_host host;
    struct rpc_message heard;
    uint64_t in_flight = 100, seconds = 3;

    if (argc < 3)
        return EXIT_FAILURE;
    if (argc > 3)
        slice_to_u64(slice_of(argv[3]), &in_flight);
    if (argc > 4)
        slice_to_u64(slice_of(argv[4]), &seconds);
    fake_host_start(&host, argv[1], NULL);
    if (!fake_host_hear(&host, &heard) ||
        fake_host_load(&host, argv[2], "", "empty").status != RPC_SUCCESS)
        return EXIT_FAILURE;
    double before = cpu_us();
    uint64_t start_us = clock_now_us();
    uint64_t done = run(&host, in_flight, clock_now_ms() + seconds * 1000);
    double us = (double)(clock_now_us() - start_us);
    printf("%.0f invocations/s, %.2f us of the host's CPU each (%llu in flight)\n",
           (double)done * 1e6 / us, (cpu_us() - before) / (double)done,
           (unsigned long long)in_flight);
    fake_host_done(&host);
    return EXIT_SUCCESS;
}
