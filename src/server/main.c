/* stigmer-server: the command line. */
#include "base/macro.h"
#include "server/command.h"

#include <stdio.h>
#include <stdlib.h>

/* Exit statuses, as --help tells them. */
enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

static const char usage[] =
    "usage: stigmer-server [serve]         serve until SIGTERM or SIGINT\n"
    "       stigmer-server dump [--json]   print every record, also beside a running server\n"
    "       stigmer-server version         print the version\n"
    "       stigmer-server --help          print this text\n";

static const char signals[] =
    "Signals: SIGTERM and SIGINT finish the calls in progress (at most 10 s) and stop; a second\n"
    "one ends the server at once. SIGHUP reads the TLS files again.\n"
    "\n"
    "Exit status: 0 stopped or done, 1 failed, 2 wrong usage.\n";

static const char *environment(const char *name)
{
    return getenv(name);
}

static int print_help(void)
{
    CLEANUP(buf_deinit) struct buf b;
    buf_init(&b, KIB(64));
    buf_addf(&b, "stigmer-server %s: stores skills by their hash and serves them over gRPC.\n\n",
             STIGMER_VERSION);
    buf_addf(&b, "%s\nEnvironment (an empty value counts as not set):\n\n", usage);
    config_help(&b);
    buf_addf(&b, "\n%s", signals);
    const char *text = buf_cstr(&b);
    return text && fputs(text, stdout) >= 0 && fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED;
}

static int print_version(void)
{
    return printf("stigmer-server %s\n", STIGMER_VERSION) > 0 && fflush(stdout) == 0 ? EXIT_OK
                                                                                     : EXIT_FAILED;
}

static int wrong_usage(const char *what)
{
    (void)fprintf(stderr, "stigmer-server: do not know \"%s\"\n%s", what, usage);
    return EXIT_USAGE;
}

/* Runs what needs the configuration. */
static int configured(bool dump, bool json)
{
    struct config c;
    struct error e;
    enum err r = config_load(&c, environment, &e);
    if (r == ERR_OK)
        r = dump ? command_dump(&c, json, &e) : command_serve(&c, &e);
    if (r != ERR_OK)
        (void)fprintf(stderr, "stigmer-server: %s\n", e.msg);
    config_deinit(&c);
    return r == ERR_OK ? EXIT_OK : EXIT_FAILED;
}

static int dump(int argc, char **argv)
{
    bool json = argc > 2 && str_eq(str_c(argv[2]), STR("--json"));
    if (argc > 2 + (json ? 1 : 0))
        return wrong_usage(argv[json ? 3 : 2]);
    return configured(true, json);
}

static bool is(str word, const char *a, const char *b)
{
    return str_eq(word, str_c(a)) || str_eq(word, str_c(b));
}

int main(int argc, char **argv)
{
    str command = argc > 1 ? str_c(argv[1]) : STR("serve");
    if (is(command, "dump", "dump"))
        return dump(argc, argv);
    if (argc > 2)
        return wrong_usage(argv[2]);
    if (is(command, "serve", "serve"))
        return configured(false, false);
    if (is(command, "version", "--version"))
        return print_version();
    if (is(command, "--help", "-h") || is(command, "help", "help"))
        return print_help();
    return wrong_usage(argv[1]);
}
