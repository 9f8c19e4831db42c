#include "redis/options.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"

#define DUMP_MAX_BYTES 65536

static void dump_text(struct buf *out, const char *name, const char *text)
{
    if (text != NULL)
        buf_addf(out, " %s=%s", name, text);
}

static void dump_number(struct buf *out, const char *name, int64_t number, int64_t usual)
{
    if (number != usual)
        buf_addf(out, " %s=%" PRId64, name, number);
}

/* Everything that differs from `localhost`. */
static void dump(struct buf *out, const struct redis_options *options)
{
    for (size_t i = 0; i < options->endpoint_count; i++) {
        const struct redis_endpoint *at = &options->endpoints[i];
        buf_addf(out, at->path != NULL ? "%s!%s" : "%s%s:%u", i > 0 ? "," : "",
                 at->path != NULL ? at->path : at->host, at->port);
    }
    dump_text(out, "user", options->user);
    dump_text(out, "password", options->password);
    dump_number(out, "db", options->database, 0);
    dump_number(out, "tls", options->is_tls, 0);
    dump_text(out, "tlshost", options->tls_host);
    dump_text(out, "ca", options->ca_file);
    dump_text(out, "cert", options->cert_file);
    dump_text(out, "key", options->key_file);
    dump_number(out, "insecure", options->is_tls_insecure, 0);
    dump_number(out, "only12", options->only_tls12, 0);
    dump_number(out, "only13", options->only_tls13, 0);
    dump_number(out, "revocation", options->check_revocation, 1);
    dump_text(out, "name", options->client_name);
    dump_number(out, "connect", options->connect_timeout_ms, 5000);
    dump_number(out, "command", options->command_timeout_ms, 5000);
    dump_number(out, "keepalive", options->keepalive_s, 60);
    if (options->channel_prefix[0] != '\0')
        dump_text(out, "prefix", options->channel_prefix);
    dump_text(out, "service", options->service_name);
    dump_text(out, "suser", options->sentinel_user);
    dump_text(out, "spassword", options->sentinel_password);
    dump_number(out, "block", options->can_block, 1);
    dump_number(out, "version", options->assumed_version, 0x030000);
    dump_number(out, "protocol", options->protocol, 0);
    dump_number(out, "setlib", options->set_library_name, 1);
    for (char **at = options->renames; at != NULL && *at != NULL; at += 2)
        buf_addf(out, " $%s=%s", at[0], at[1]);
}

static const struct {
    const char *text;
    const char *expected;
} good[] = {
    {"localhost", "localhost:6379"},
    {"127.0.0.1:7000", "127.0.0.1:7000"},
    {" a:1 , b , [::1]:5,[fe80::1], ::2,!/run/r.sock",
     "a:1,b:6379,::1:5,fe80::1:6379,::2:6379,!/run/r.sock"},
    {"a,b,ssl=true", "a:6380,b:6380 tls=1"},
    {"a,serviceName=mymaster,sentinelUser=su,sentinelPassword=sp",
     "a:26379 service=mymaster suser=su spassword=sp"},
    {"n.redis.cache.windows.net:6380,password=p=q==,ssl=True,abortConnect=False",
     "n.redis.cache.windows.net:6380 password=p=q== tls=1 version=262144"},
    {"n.redis.cache.windows.net:6380", "n.redis.cache.windows.net:6380 tls=1 version=262144"},
    {"N.Redis.Cache.CloudApi.De:6380,ssl=no", "N.Redis.Cache.CloudApi.De:6380 version=262144"},
    {"n.redis.cache.chinacloudapi.cn", "n.redis.cache.chinacloudapi.cn:6379 version=262144"},
    {"n.redis.cache.usgovcloudapi.net:6380",
     "n.redis.cache.usgovcloudapi.net:6380 tls=1 version=262144"},
    {"n.redisenterprise.cache.azure.net:10000",
     "n.redisenterprise.cache.azure.net:10000 version=262144"},
    {"other.example:6380", "other.example:6380"},
    {"h,user=u,password=p,defaultDatabase=3", "h:6379 user=u password=p db=3"},
    {"h,USER= u ,Password=,DEFAULTdatabase=0", "h:6379 user=u"},
    {"h,sslHost=x,sslProtocols=tls12", "h:6379 tlshost=x only12=1"},
    {"h,sslProtocols=TLS13", "h:6379 only13=1"},
    {"h,sslProtocols=tls12|tls13", "h:6379"},
    {"h,checkCertificateRevocation=off", "h:6379 revocation=0"},
    {"h,name=me,connectTimeout=7", "h:6379 name=me connect=7"},
    {"h,syncTimeout=7", "h:6379 command=7"},
    {"h,asyncTimeout=8,syncTimeout=7", "h:6379 command=8"},
    {"h,keepAlive=0,tcpKeepAlive=yes", "h:6379 keepalive=0"},
    {"h,keepAlive=-1", "h:6379"},
    {"h,abortConnect=ON,connectRetry=3", "h:6379"},
    {"h,channelPrefix=pre:", "h:6379 prefix=pre:"},
    {"h,proxy=none", "h:6379"},
    {"h,proxy=Twemproxy", "h:6379 block=0"},
    {"h,proxy=envoyproxy", "h:6379 block=0"},
    {"h,version=6.2", "h:6379 version=393728"},
    {"n.redis.cache.windows.net,version=7.0.15.1", "n.redis.cache.windows.net:6379 version=458767"},
    {"h,protocol=resp3,setlib=false", "h:6379 protocol=3 setlib=0"},
    {"h,protocol=RESP2", "h:6379 protocol=2"},
    {"h,$config=,$Get=fetch", "h:6379 $CONFIG= $GET=fetch"},
    {"h,tunnel=", "h:6379"},
    {"h,allowAdmin=1,configChannel=c,configCheckSeconds=60,tiebreaker=,resolveDns=0,"
     "highIntegrity=no,responseTimeout=x,writeBuffer=y,highPriorityThreads=z,preserveAsyncOrder=w",
     "h:6379"},
    {"h,caFile=/ca,certFile=/cert,keyFile=/key,tlsInsecure=on",
     "h:6379 ca=/ca cert=/cert key=/key insecure=1"},
    {"h,name=a,name=b,password=x,password=y", "h:6379 password=y name=b"},
    {"redis://localhost", "localhost:6379"},
    {"REDIS://h:7/2", "h:7 db=2"},
    {"redis://u:p%40%2C%3d@h/?db=4", "h:6379 user=u password=p@,= db=4"},
    {"redis://:secret@[::1]:7", "::1:7 password=secret"},
    {"redis://u@h", "h:6379 user=u"},
    {"rediss://h", "h:6380 tls=1"},
    {"rediss://h:6379?ca_file=/c%20a&cert_file=/b&key_file=/k&insecure=true",
     "h:6379 tls=1 ca=/c a cert=/b key=/k insecure=1"},
    {"valkeys://h", "h:6380 tls=1"},
    {"redis://a,b:8/1?serviceName=m", "a:26379,b:8 db=1 service=m"},
    {"redis://h?name=n&connectTimeout=3&", "h:6379 name=n connect=3"},
    {"unix:///run/redis.sock?db=2", "!/run/redis.sock db=2"},
    {"unix://u:p@/run/a%20b", "!/run/a b user=u password=p"},
    {"unix://relative.sock", "!relative.sock"},
};

static void good_texts_are_understood(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct redis_options *options = NULL;
        struct cause why = {0};
        struct buf out;
        enum err err = redis_options_parse(slice_of(good[i].text), &options, &why);
        if (err)
            fail_msg("%s: %s", good[i].text, why.text);
        buf_init(&out, DUMP_MAX_BYTES);
        dump(&out, options);
        assert_string_equal(buf_text(&out), good[i].expected);
        buf_done(&out);
        redis_options_unref(options);
    }
}

static const struct {
    const char *text;
    const char *expected;
} bad[] = {
    {"", "No endpoint is named."},
    {" , ", "No endpoint is named."},
    {"password=secret", "No endpoint is named."},
    {"h,x=secret", "Keyword 'x' is not supported."},
    {"h,sslhots=a", "Keyword 'sslhots' is not supported."},
    {"h,=a", "Keyword '' is not supported."},
    {"h,ssl=maybe", "Keyword 'ssl' needs true or false, not 'maybe'."},
    {"h,abortconnect=2", "Keyword 'abortConnect' needs true or false, not '2'."},
    {"h,allowAdmin=", "Keyword 'allowAdmin' needs true or false, not ''."},
    {"h,defaultDatabase=-1",
     "Keyword 'defaultDatabase' needs a whole number of at least 0, not '-1'."},
    {"h,defaultDatabase=a",
     "Keyword 'defaultDatabase' needs a whole number of at least 0, not 'a'."},
    {"h,syncTimeout=0", "Keyword 'syncTimeout' needs a whole number of at least 1, not '0'."},
    {"h,connectTimeout=99999999999",
     "Keyword 'connectTimeout' needs a whole number of at least 1, not '99999999999'."},
    {"h,connectRetry=x", "Keyword 'connectRetry' needs a whole number of at least 0, not 'x'."},
    {"h,sslProtocols=ssl3",
     "Keyword 'sslProtocols' needs tls12, tls13 or both joined by '|', not 'ssl3'."},
    {"h,proxy=nginx", "Keyword 'proxy' needs none, twemproxy or envoyproxy, not 'nginx'."},
    {"h,version=six", "Keyword 'version' needs a version as 6.2 or 7.0.15, not 'six'."},
    {"h,version=1.2.3.4.5", "Keyword 'version' needs a version as 6.2 or 7.0.15, not '1.2.3.4.5'."},
    {"h,protocol=4", "Keyword 'protocol' needs resp2 or resp3, not '4'."},
    {"h,tunnel=http:p:80", "Keyword 'tunnel' is not supported: connect to the server directly or "
                           "through a forwarded port."},
    {"h,$=x", "Keyword '$' names no command."},
    {"a:1,h:0", "Endpoint 2: the port must be a number from 1 to 65535."},
    {"h:65536", "Endpoint 1: the port must be a number from 1 to 65535."},
    {"h:", "Endpoint 1: the port must be a number from 1 to 65535."},
    {":7", "Endpoint 1: must be host, host:port, [ipv6]:port or !path."},
    {"[::1", "Endpoint 1: must be host, host:port, [ipv6]:port or !path."},
    {"[::1]7", "Endpoint 1: must be host, host:port, [ipv6]:port or !path."},
    {"!", "Endpoint 1: '!' must be followed by the path of a unix socket."},
    {"1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17", "More than 16 endpoints."},
    {"http://h", "Scheme 'http' is not supported: use redis, rediss or unix."},
    {"redis://", "The URL names no host."},
    {"redis:///1", "The URL names no host."},
    {"redis://!a", "A unix socket's URL begins with unix://."},
    {"redis://h/x", "Keyword 'defaultDatabase' needs a whole number of at least 0, not 'x'."},
    {"redis://h?dbs=1", "Keyword 'dbs' is not supported."},
    {"redis://u:p%4@h", "The URL's password holds a '%' without two hexadecimal digits (a percent "
                        "sign itself is %25)."},
    {"redis://u:p%00@h", "The URL's password holds a '%' without two hexadecimal digits (a percent "
                         "sign itself is %25)."},
    {"unix://?db=1", "The URL names no socket: unix:///path."},
};

static void bad_texts_are_explained(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct redis_options *options = NULL;
        struct cause why = {0};
        enum err err = redis_options_parse(slice_of(bad[i].text), &options, &why);
        if (err != E_BAD_INPUT)
            fail_msg("%s: not refused", bad[i].text);
        assert_null(options);
        assert_string_equal(why.text, bad[i].expected);
        assert_null(strstr(why.text, "secret"));
    }
}

static struct redis_options *parse(const char *text)
{
    struct redis_options *options = NULL;
    assert_int_equal(redis_options_parse(slice_of(text), &options, NULL), E_OK);
    return options;
}

static void same_means_interchangeable(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool is_same;
    } rows[] = {
        {"h", "redis://h:6379/0", true},
        {"h,ssl=true,user=u,password=p", "rediss://u:p@h", true},
        {"h,abortConnect=false", "h", true},
        {"h,$GET=a", "h,$GET=a", true},
        {"h,$GET=a", "h,$GET=b", false},
        {"h,$GET=a", "h", false},
        {"h,$GET=a", "h,$GET=a,$SET=b", false},
        {"h", "i", false},
        {"h", "h:1", false},
        {"h", "h,i", false},
        {"h", "!h", false},
        {"h", "h,defaultDatabase=1", false},
        {"h", "h,password=p", false},
        {"h,user=a", "h,user=b", false},
        {"h", "h,sslProtocols=tls12", false},
        {"h", "h,keepAlive=1", false},
        {"h", "h,protocol=resp3", false},
        {"h", "h,serviceName=m", false},
        {"h", "h,channelPrefix=p", false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct redis_options *a = parse(rows[i].a);
        struct redis_options *b = parse(rows[i].b);
        if (redis_options_same(a, b) != rows[i].is_same || !redis_options_same(a, a))
            fail_msg("%s | %s", rows[i].a, rows[i].b);
        redis_options_unref(a);
        redis_options_unref(b);
    }
}

static void names_show_no_secret(void **state)
{
    (void)state;
    static const struct {
        const char *text, *name;
    } rows[] = {
        {"h,user=u,password=secret", "h:6379/0"},
        {"redis://u:secret@[::1]:7/3", "[::1]:7/3"},
        {"!/run/r.sock", "/run/r.sock"},
        {"unix:///run/r.sock?db=2", "/run/r.sock db 2"},
        {"a,b,c:1,serviceName=m,sentinelPassword=secret", "m@a:26379+2/0"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct redis_options *options = redis_options_ref(parse(rows[i].text));
        char name[128];
        redis_options_unref(options);
        redis_options_name(options, name, sizeof name);
        assert_string_equal(name, rows[i].name);
        redis_options_name(options, name, 4);
        assert_int_equal(strlen(name), 3);
        redis_options_unref(options);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_texts_are_understood),
        cmocka_unit_test(bad_texts_are_explained),
        cmocka_unit_test(same_means_interchangeable),
        cmocka_unit_test(names_show_no_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
