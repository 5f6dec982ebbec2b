#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/options.h"

static char *out_text, *error_text;

/* Loads with these flags (NULL ends them); the two texts hold until the next call. */
static enum options_result load(struct options *o, const char *const flags[]) {
    char *argv[32] = {(char *)"sluice"};
    int argc = 1;
    size_t size;
    while (flags[argc - 1] != NULL) {
        argv[argc] = strdup(flags[argc - 1]);
        argc++;
    }
    free(out_text);
    free(error_text);
    FILE *out = open_memstream(&out_text, &size);
    FILE *errors = open_memstream(&error_text, &size);
    enum options_result result = options_load(o, argc, argv, out, errors);
    fclose(out);
    fclose(errors);
    while (--argc > 0)
        free(argv[argc]); /* no text of theirs is kept */
    return result;
}

#define FLAGS(...) ((const char *const[]){__VA_ARGS__, NULL})
static const char *const no_flags[] = {NULL};

static void load_good(struct options *o, const char *const flags[]) {
    if (load(o, flags) != OPTIONS_RUN)
        fail_msg("refused: %s", error_text);
    assert_string_equal(error_text, "");
    assert_string_equal(out_text, "");
}

/* The flags are refused, in one line that has all words of a list separated by `|`. */
static void load_bad(const char *const flags[], const char *words) {
    struct options o;
    char list[200];
    if (load(&o, flags) != OPTIONS_EXIT_FAILED)
        fail_msg("not refused: %s", words);
    assert_string_equal(out_text, "");
    assert_memory_equal(error_text, "sluice: ", 8);
    assert_ptr_equal(strchr(error_text, '\n'), error_text + strlen(error_text) - 1);
    snprintf(list, sizeof list, "%s", words);
    for (char *word = strtok(list, "|"); word != NULL; word = strtok(NULL, "|")) {
        if (strstr(error_text, word) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", error_text, word);
    }
    options_deinit(&o);
}

/* --- a config file --------------------------------------------------------------------------
 */

static char path[] = "/tmp/test_options.XXXXXX";

static void write_file(const char *text) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int make_file(void **state) {
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state) {
    (void)state;
    free(out_text);
    free(error_text);
    return unlink(path);
}

static int clear_environment(void **state) {
    (void)state;
    return clearenv();
}

/* --- tests ----------------------------------------------------------------------------------
 */

static void has_defaults(void **state) {
    (void)state;
    struct options o;
    load_good(&o, no_flags);
    assert_string_equal(o.listen, "127.0.0.1:8080");
    assert_string_equal(o.redis_url, "redis://127.0.0.1:6379/0");
    assert_string_equal(o.node_id, "");
    assert_false(o.allow_anonymous);
    assert_int_equal(o.max_message, 1048576);
    assert_int_equal(o.max_chunked, 4 * 1048576);
    assert_int_equal(o.chunk_timeout, 60000);
    assert_int_equal(o.max_connections, 0);
    assert_int_equal(o.handshake_timeout, 10000);
    assert_int_equal(o.login_deadline, 0); /* with identity on it is 30 s */
    assert_false(options_given(&o, "login-deadline"));
    assert_int_equal(o.rate_limit, 200);
    assert_int_equal(o.max_per_user, 20);
    assert_int_equal(o.max_rooms, 200);
    assert_int_equal(o.accept_rate, 2000);
    assert_int_equal(o.memory_limit, 0); /* a share of the machine's */
    assert_int_equal(o.log_bytes, 64 * 1048576);
    assert_int_equal(o.roster_interval, 250);
    assert_int_equal(o.room_retention, 7 * 86400000ULL);
    assert_int_equal(o.inbox_retention, 86400000ULL);
    options_deinit(&o);
}

static void a_list_adds_up(void **state) {
    (void)state;
    struct options o;
    load_good(&o, no_flags);
    assert_string_equal(o.event, "");
    options_deinit(&o);

    write_file("event = a room # said to all\nevent = \"b #\" drop\n#event = c drop\n");
    load_good(&o, FLAGS("--config", path));
    assert_string_equal(o.event, "a room\n\"b #\" drop");
    assert_true(options_given(&o, "event"));
    options_deinit(&o);

    setenv("SLUICE_EVENT", "\n d drop\n  e room\t# \n\n", 1);
    load_good(&o, FLAGS("--config", path));
    assert_string_equal(o.event, "d drop\ne room");
    options_deinit(&o);
    load_good(&o, FLAGS("--event", "f drop", "--config", path, "--event=g room"));
    assert_string_equal(o.event, "f drop\ng room");
    options_deinit(&o);
}

static void a_list_has_a_bound(void **state) {
    (void)state;
    struct options o;
    char lines[LIST_MOST * 2 + 3] = "", one[5000];
    for (int i = 0; i < LIST_MOST; i++)
        strcat(lines, "e\n");
    setenv("SLUICE_EVENT", lines, 1);
    load_good(&o, no_flags);
    assert_int_equal(strlen(o.event), LIST_MOST * 2 - 1);
    options_deinit(&o);
    setenv("SLUICE_EVENT", strcat(lines, "f"), 1);
    load_bad(no_flags, "SLUICE_EVENT|event|256 entries");
    unsetenv("SLUICE_EVENT");
    memset(one, 'x', sizeof one);
    one[sizeof one - 1] = '\0';
    load_bad(FLAGS("--event", one), "command line|event|4095 bytes");
}

static void flags_come_in_two_forms(void **state) {
    (void)state;
    struct options o;
    load_good(&o, FLAGS("--listen", "[::1]:0", "--node-id=a=b", "--max-message=2K", "--linger",
                        "3s", "--prefix=", "--channels", "--odd"));
    assert_string_equal(o.listen, "[::1]:0");
    assert_string_equal(o.node_id, "a=b");
    assert_string_equal(o.prefix, "");
    assert_string_equal(o.channels, "--odd");
    assert_int_equal(o.max_message, 2048);
    assert_int_equal(o.linger, 3000);
    options_deinit(&o);
}

static void switches_take_a_word_or_none(void **state) {
    (void)state;
    static const struct {
        const char *flag;
        bool on;
    } table[] = {{"--presence-all", true},      {"--presence-all=true", true},
                 {"--presence-all=on", true},   {"--presence-all=yes", true},
                 {"--presence-all=1", true},    {"--presence-all=false", false},
                 {"--presence-all=off", false}, {"--presence-all=no", false},
                 {"--presence-all=0", false}};
    struct options o;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        load_good(&o, FLAGS(table[i].flag, "--linger=1s"));
        assert_int_equal(o.presence_all, table[i].on);
        assert_int_equal(o.linger, 1000);
        options_deinit(&o);
    }
    load_bad(FLAGS("--presence-all=maybe"),
             "command line|presence-all|\"maybe\"|true or false");
    load_bad(FLAGS("--presence-all="), "presence-all|true or false");
    load_bad(FLAGS("--presence-all", "true"), "there is no option true");
}

static void units_multiply(void **state) {
    (void)state;
    static const struct {
        const char *flag;
        uint64_t value;
    } times[] = {{"--room-retention=1000ms", 1000},  {"--room-retention=1s", 1000},
                 {"--room-retention=2m", 120000},    {"--room-retention=3h", 10800000},
                 {"--room-retention=4d", 345600000}, {"--room-retention=3650d", 315360000000}};
    static const struct {
        const char *flag;
        uint64_t value;
    } sizes[] = {{"--max-queue=4096", 4096},        {"--max-queue=4K", 4096},
                 {"--max-queue=5KiB", 5120},        {"--max-queue=1M", 1048576},
                 {"--max-queue=1024MiB", 1U << 30}, {"--max-queue=1073741824", 1U << 30}};
    struct options o;
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        load_good(&o, FLAGS(times[i].flag));
        assert_true(o.room_retention == times[i].value);
        options_deinit(&o);
    }
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        load_good(&o, FLAGS(sizes[i].flag));
        assert_true(o.max_queue == sizes[i].value);
        options_deinit(&o);
    }
    load_good(&o, FLAGS("--linger=0", "--drain=0s", "--rate-limit=0"));
    assert_int_equal(o.linger + o.drain + o.rate_limit, 0);
    options_deinit(&o);
}

static void bad_values_name_place_and_range(void **state) {
    (void)state;
    static const char *const table[][2] = {
        /* out of bounds: just below, just above, far above, wrapped around */
        {"--max-message=124", "command line|max-message|\"124\"|from 125 to 67108864"},
        {"--max-message=67108865", "max-message|from 125 to 67108864"},
        {"--max-message=65M", "max-message|\"65M\"|from 125 to 67108864"},
        {"--max-message=18446744073709551616", "max-message|from 125"},
        {"--max-message=18446744073709551615K", "max-message|from 125"},
        {"--max-queue=17592186044417M", "max-queue|from 4096"},
        {"--handshake-timeout=99ms", "handshake-timeout|\"99ms\"|ms|from 100 to 3600000"},
        {"--handshake-timeout=2h", "handshake-timeout|from 100 to 3600000"},
        {"--room-retention=213503982335d", "room-retention|from 1000"},
        {"--max-subscriptions=0", "max-subscriptions|a number from 1 to 1000000"},
        {"--max-subscriptions=1000001", "max-subscriptions|from 1 to 1000000"},
        {"--memory-limit=31M", "memory-limit|\"31M\"|from 33554432"},
        {"--memory-limit=0", "memory-limit|from 33554432"},
        {"--memory-limit=", "memory-limit|\"\"|from 33554432"},
        {"--log-bytes=3K", "log-bytes|from 4096"},
        {"--accept-rate=1000001", "accept-rate|from 0 to 1000000"},
        {"--max-connections-per-user=10000001", "max-connections-per-user|from 0 to 10000000"},
        {"--login-deadline=2h", "login-deadline|from 0 to 3600000"},
        /* no numbers */
        {"--max-subscriptions=", "max-subscriptions|\"\"|from 1"},
        {"--max-subscriptions=-1", "max-subscriptions|from 1"},
        {"--max-subscriptions=+5", "max-subscriptions|from 1"},
        {"--max-subscriptions= 5", "max-subscriptions|from 1"},
        {"--max-subscriptions=5 ", "max-subscriptions|from 1"},
        {"--max-subscriptions=0x10", "max-subscriptions|from 1"},
        {"--max-subscriptions=1e3", "max-subscriptions|from 1"},
        {"--max-subscriptions=1K", "max-subscriptions|from 1"},
        /* wrong units */
        {"--linger=5", "linger|\"5\"|ms, s, m, h or d"},
        {"--linger=5 s", "linger|ms, s, m, h or d"},
        {"--linger=5S", "linger|ms, s, m, h or d"},
        {"--linger=5K", "linger|ms, s, m, h or d"},
        {"--linger=1.5s", "linger|ms, s, m, h or d"},
        {"--max-queue=5k", "max-queue|K, M or G"},
        {"--max-queue=5G", "max-queue|K, M or G"},
        {"--max-queue=5s", "max-queue|K, M or G"},
        /* texts */
        {"--listen=", "listen|\"\"|length from 1 to 255"},
        {"--node-id=01234567890123456789012345678901234567890123456789012345678901234",
         "node-id|length from 0 to 64"},
        /* no such option */
        {"--lisent=x", "--lisent|--help"},
        {"--listen2=x", "--listen2|--help"},
        {"--liste=x", "--liste|--help"},
        {"--=x", "--help"},
        {"--", "--help"},
        {"-x", "-x|--help"},
        {"listen=x", "listen=x|--help"},
        {"", "--help"},
        {"--LISTEN=x", "--LISTEN|--help"},
        /* a value is missing */
        {"--listen", "--listen wants a value"},
        {"--config", "--config wants a value"},
        {"--config=/nonexistent/file", "--config|/nonexistent/file|No such file"},
        {"--config=/", "/"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        load_bad(FLAGS(table[i][0]), table[i][1]);
}

static void a_flag_is_given_once(void **state) {
    (void)state;
    load_bad(FLAGS("--linger=1s", "--linger=1s"), "command line|--linger|twice");
    load_bad(FLAGS("--linger", "1s", "--drain=1s", "--linger", "2s"), "--linger|twice");
    load_bad(FLAGS("--presence-all", "--presence-all=false"), "--presence-all|twice");
}

static void the_environment_names_all(void **state) {
    (void)state;
    struct options o;
    setenv("SLUICE_LISTEN", "h:1", 1);
    setenv("SLUICE_MAX_CONNECTIONS_PER_ADDRESS", "7", 1);
    setenv("SLUICE_PRESENCE_ALL", "yes", 1);
    setenv("SLUICE_LINGER", "2m", 1);
    setenv("SLUICE_UNKNOWN", "x", 1);
    load_good(&o, no_flags);
    assert_string_equal(o.listen, "h:1");
    assert_int_equal(o.max_per_address, 7);
    assert_true(o.presence_all);
    assert_int_equal(o.linger, 120000);
    options_deinit(&o);
    setenv("SLUICE_LINGER", "2", 1);
    load_bad(no_flags, "SLUICE_LINGER|linger is \"2\"|from 0 to 600000");
    setenv("SLUICE_LINGER", "", 1);
    load_bad(no_flags, "SLUICE_LINGER|linger is \"\"");
}

static void a_file_has_lines(void **state) {
    (void)state;
    struct options o;
    write_file("# a comment = x\n\n  \t\nlisten = h:2\n  node-id=a=b # c  \r\n\tlinger\t=\t3s\n"
               "prefix =\npresence-all = on\n   # indented\nmax-queue=5K");
    load_good(&o, FLAGS("--config", path));
    assert_string_equal(o.listen, "h:2");
    assert_string_equal(o.node_id, "a=b # c");
    assert_string_equal(o.prefix, "");
    assert_int_equal(o.linger, 3000);
    assert_true(o.presence_all);
    assert_int_equal(o.max_queue, 5120);
    options_deinit(&o);
    setenv("SLUICE_CONFIG", path, 1);
    load_good(&o, no_flags);
    assert_string_equal(o.listen, "h:2");
    options_deinit(&o);
    /* The flag goes before the environment here too. */
    load_bad(FLAGS("--config=/nonexistent/file"), "/nonexistent/file");
    write_file("");
    load_good(&o, no_flags);
    options_deinit(&o);
}

static void a_file_s_mistakes_have_a_line(void **state) {
    (void)state;
    static const char *const table[][2] = {
        {"listen = h:1\n\n# x\nlinger = 5\n", " line 4|linger|\"5\"|from 0 to 600000"},
        {"lisent = h:1\n", " line 1|no option lisent"},
        {"\nlisten\n", " line 2|option = value"},
        {"--listen = h:1\n", " line 1|--listen"},
        {"= x\n", " line 1|no option"},
        {"listen =\n", " line 1|listen is \"\"|from 1 to 255"},
        {"config = x\n", " line 1|config"},
        {"presence-all\n", " line 1|option = value"},
        {"max-message = 1", " line 1|max-message|from 125"},
    };
    char words[200];
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        write_file(table[i][0]);
        snprintf(words, sizeof words, "%s%s", path, table[i][1]);
        load_bad(FLAGS("--config", path), words);
    }
}

/* As on the command line, one of the two is a mistake, and it is not known which. */
static void a_file_sets_an_option_once(void **state) {
    (void)state;
    write_file("linger = 1s\ndrain = 1s\nlinger = 2s\n");
    load_bad(FLAGS("--config", path), "line 3|linger|twice");
}

static void flag_before_environment_before_file(void **state) {
    (void)state;
    struct options o;
    write_file("listen = file:1\nnode-id = file\nlinger = 1s\n");
    setenv("SLUICE_LISTEN", "env:1", 1);
    setenv("SLUICE_NODE_ID", "env", 1);
    load_good(&o, FLAGS("--listen=flag:1", "--config", path));
    assert_string_equal(o.listen, "flag:1");
    assert_string_equal(o.node_id, "env");
    assert_int_equal(o.linger, 1000);
    assert_int_equal(o.drain, 5000);
    options_deinit(&o);
}

#define NAME_OF(field, flag, type, low, high, initial, value, help) flag,
static const char *const all_flags[] = {OPTIONS_TABLE(NAME_OF)};

static void version_is_told(void **state) {
    (void)state;
    struct options o;
    assert_int_equal(load(&o, FLAGS("--version")), OPTIONS_EXIT_OK);
    assert_string_equal(out_text, "sluice " SLUICE_VERSION "\n");
    assert_string_equal(error_text, "");
    options_deinit(&o);
}

static void a_health_check_has_the_node_s_options(void **state) {
    (void)state;
    struct options o;
    enum options_result result = load(&o, FLAGS("--listen", "h:1", "--health-check"));
    assert_int_equal(result, OPTIONS_HEALTH_CHECK);
    assert_string_equal(o.listen, "h:1");
    assert_string_equal(out_text, "");
    assert_string_equal(error_text, "");
    options_deinit(&o);
    load_bad(FLAGS("--health-check", "--linger=5"), "linger|\"5\"");
    load_bad(FLAGS("--health-check=on"), "--health-check=on|--help");
}

static void no_flag_is_named_twice(void **state) {
    (void)state;
    struct options o;
    for (size_t i = 0; i < sizeof all_flags / sizeof *all_flags; i++) {
        for (size_t other = 0; other < i; other++)
            assert_string_not_equal(all_flags[i], all_flags[other]);
    }
    assert_true(sizeof all_flags / sizeof *all_flags <= sizeof o.texts / sizeof *o.texts);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup(name, clear_environment)
    const struct CMUnitTest tests[] = {
        TEST(has_defaults),
        TEST(a_list_adds_up),
        TEST(a_list_has_a_bound),
        TEST(flags_come_in_two_forms),
        TEST(switches_take_a_word_or_none),
        TEST(units_multiply),
        TEST(bad_values_name_place_and_range),
        TEST(a_flag_is_given_once),
        TEST(the_environment_names_all),
        TEST(a_file_has_lines),
        TEST(a_file_s_mistakes_have_a_line),
        TEST(a_file_sets_an_option_once),
        TEST(flag_before_environment_before_file),
        TEST(version_is_told),
        TEST(a_health_check_has_the_node_s_options),
        TEST(no_flag_is_named_twice),
    };
    return cmocka_run_group_tests_name("options", tests, make_file, remove_file);
}
