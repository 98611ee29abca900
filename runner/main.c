/* The command line: which command, with what arguments, and how the process ends. */
#include <ctype.h>
#include <fcntl.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <haul/haul.h>

#include "carry.h"
#include "command.h"
#include "destination.h"
#include "log.h"

/* What an option is, and which ones a command takes. */
enum {
    SET = 1 << 0,
    QUEUE = 1 << 1,
    FRESH = 1 << 2,
    JSON = 1 << 3,
    WATCH = 1 << 4,
    FAILED = 1 << 5,
    LOG_FORMAT = 1 << 6,
    RECURSIVE = 1 << 7,
    ABORT = 1 << 8,
    METHOD = 1 << 9,
    EXPIRES = 1 << 10,
    MANIFEST = 1 << 11,
    ENDPOINT = 1 << 12,
    REGION = 1 << 13,
    PROFILE = 1 << 14,
    ADDRESSING = 1 << 15,
    CA_FILE = 1 << 16,
    INSECURE = 1 << 17,
    CLIENT_CERT = 1 << 18,
    CLIENT_KEY = 1 << 19,
    DUALSTACK = 1 << 20,
    FIPS = 1 << 21,
    ACCELERATE = 1 << 22,
    /* Where the one-shot commands find their store: by a manifest, or by these. */
    NO_MANIFEST = ENDPOINT | REGION | PROFILE | ADDRESSING | CA_FILE | INSECURE | CLIENT_CERT |
                  CLIENT_KEY | DUALSTACK | FIPS | ACCELERATE,
    STORE = SET | MANIFEST | NO_MANIFEST,
};
#define ANY_NUMBER ((size_t) -1)

static const struct command {
    const char *name;
    command_fn *run;
    size_t least, most; /* operands */
    unsigned options;
    const char *usage, *summary;
} commands[] = {
    { "run", command_run, 1, 1, SET | QUEUE | FRESH | LOG_FORMAT,
        "FILE [--set NAME=VALUE]... [--new] [--queue PATH] [--log text|json]",
        "plan and carry out; resumes this manifest's unfinished run" },
    { "plan", command_plan, 1, 1, SET | JSON | LOG_FORMAT,
        "FILE [--set NAME=VALUE]... [--json] [--log text|json]",
        "what would be done, object by object and in total; touches nothing" },
    { "check", command_check, 1, 1, SET, "FILE [--set NAME=VALUE]...",
        "is the manifest right? every error with file:line:column" },
    { "resume", command_resume, 0, 1, QUEUE | LOG_FORMAT,
        "[JOB] [--queue PATH] [--log text|json]",
        "go on after a crash, an interrupt or a pause" },
    { "jobs", command_jobs, 0, 0, JSON, "[--json]", "every run: state, progress, when" },
    { "status", command_status, 0, 1, QUEUE | JSON | WATCH | FAILED,
        "[JOB] [--queue PATH] [--json] [--watch] [--failed]", "one run, live or finished" },

    { "ls", command_ls, 0, 1, STORE | RECURSIVE | JSON, "[ADDRESS] [-r] [--json]",
        "buckets, or what stands below a prefix; -r: all of it" },
    { "cat", command_cat, 1, ANY_NUMBER, STORE, "ADDRESS...", "objects to standard output" },
    { "get", command_get, 1, 2, STORE | RECURSIVE | JSON, "ADDRESS [PATH|-] [-r] [--json]",
        "an object to a file; -r: a prefix to a folder" },
    { "put", command_put, 2, 2, STORE | RECURSIVE | JSON, "PATH|- ADDRESS [-r] [--json]",
        "a file or standard input to an object; -r: a folder to a prefix" },
    { "stat", command_stat, 1, ANY_NUMBER, STORE | JSON, "ADDRESS... [--json]",
        "size, time, ETag, type and metadata of objects" },
    { "rm", command_rm, 1, ANY_NUMBER, STORE | RECURSIVE | JSON, "ADDRESS... [-r] [--json]",
        "delete objects; -r: all below a prefix" },
    { "cp", command_cp, 2, 2, STORE | RECURSIVE | JSON, "ADDRESS ADDRESS [-r] [--json]",
        "copy inside a store; -r: a prefix" },
    { "mv", command_mv, 2, 2, STORE | RECURSIVE | JSON, "ADDRESS ADDRESS [-r] [--json]",
        "copy inside a store, then delete the source; -r: a prefix" },
    { "presign", command_presign, 1, 1, STORE | METHOD | EXPIRES,
        "ADDRESS [--method GET] [--expires 1h]",
        "an URL that does it without keys, for 1s to 7d" },
    { "mb", command_mb, 1, 1, STORE, "ADDRESS", "make a bucket" },
    { "rb", command_rb, 1, 1, STORE, "ADDRESS", "remove an empty bucket" },
    { "uploads", command_uploads, 1, 1, STORE | ABORT | JSON, "ADDRESS [--abort] [--json]",
        "open multipart uploads below a prefix; --abort: end them" },
    { "whoami", command_whoami, 0, 1, STORE | JSON, "[ENDPOINT] [--json]",
        "where the keys come from, until when they are good, does the server take them" },
};
#define COMMANDS (sizeof commands / sizeof *commands)

static const struct option long_options[] = {
    { "set", required_argument, NULL, SET },
    { "queue", required_argument, NULL, QUEUE },
    { "new", no_argument, NULL, FRESH },
    { "json", no_argument, NULL, JSON },
    { "watch", no_argument, NULL, WATCH },
    { "failed", no_argument, NULL, FAILED },
    { "log", required_argument, NULL, LOG_FORMAT },
    { "recursive", no_argument, NULL, RECURSIVE },
    { "abort", no_argument, NULL, ABORT },
    { "method", required_argument, NULL, METHOD },
    { "expires", required_argument, NULL, EXPIRES },
    { "manifest", required_argument, NULL, MANIFEST },
    { "endpoint", required_argument, NULL, ENDPOINT },
    { "region", required_argument, NULL, REGION },
    { "profile", required_argument, NULL, PROFILE },
    { "addressing", required_argument, NULL, ADDRESSING },
    { "ca-file", required_argument, NULL, CA_FILE },
    { "insecure", no_argument, NULL, INSECURE },
    { "client-cert", required_argument, NULL, CLIENT_CERT },
    { "client-key", required_argument, NULL, CLIENT_KEY },
    { "dualstack", no_argument, NULL, DUALSTACK },
    { "fips", no_argument, NULL, FIPS },
    { "accelerate", no_argument, NULL, ACCELERATE },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

/* Where an option's word, or that it was given, is kept. */
static const struct {
    int option;
    size_t text, flag; /* offsets in struct arguments; 0: not of that kind */
} places[] = {
    { QUEUE, offsetof(struct arguments, queue), 0 },
    { METHOD, offsetof(struct arguments, method), 0 },
    { EXPIRES, offsetof(struct arguments, expires), 0 },
    { MANIFEST, offsetof(struct arguments, manifest), 0 },
    { ENDPOINT, offsetof(struct arguments, endpoint), 0 },
    { REGION, offsetof(struct arguments, region), 0 },
    { PROFILE, offsetof(struct arguments, profile), 0 },
    { ADDRESSING, offsetof(struct arguments, addressing), 0 },
    { CA_FILE, offsetof(struct arguments, ca_file), 0 },
    { CLIENT_CERT, offsetof(struct arguments, client_cert), 0 },
    { CLIENT_KEY, offsetof(struct arguments, client_key), 0 },
    { FRESH, 0, offsetof(struct arguments, fresh) },
    { JSON, 0, offsetof(struct arguments, json) },
    { WATCH, 0, offsetof(struct arguments, watch) },
    { FAILED, 0, offsetof(struct arguments, failed) },
    { RECURSIVE, 0, offsetof(struct arguments, recursive) },
    { ABORT, 0, offsetof(struct arguments, abort) },
    { INSECURE, 0, offsetof(struct arguments, insecure) },
    { DUALSTACK, 0, offsetof(struct arguments, dualstack) },
    { FIPS, 0, offsetof(struct arguments, fips) },
    { ACCELERATE, 0, offsetof(struct arguments, accelerate) },
};

static const char address_help[] =
    "ADDRESS is s3://BUCKET/KEY; s3:// is where AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL or\n"
    "the profile says, else AWS. --endpoint URL, --region NAME, --profile NAME,\n"
    "--addressing path|virtual, --ca-file PATH, --client-cert PATH, --client-key PATH and\n"
    "--insecure say more, --dualstack, --fips and --accelerate choose among AWS's hosts;\n"
    "with --manifest FILE the endpoints of that manifest can be named: archive://BUCKET/KEY.\n";

static void print_help(FILE *out)
{
    fputs("haul moves files to and from S3-compatible stores as batch jobs that resume.\n\n",
        out);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(out, "  haul %-7s %s\n               %s\n", commands[i].name, commands[i].usage,
            commands[i].summary);
    fprintf(out, "\nJOB is a run's id or a job's name (its latest run).\n%s", address_help);
    fputs("Exit codes: 0 all done, 1 some objects failed, 2 bad usage or manifest,\n"
          "3 interrupted, 4 the queue can't be used, 5 paused; after 3 to 5 `haul resume` goes "
          "on.\n",
        out);
}

static enum exit_code bad_usage(const struct command *c, const char *fault, const char *what)
{
    fprintf(
        stderr, "haul %s: %s%s\nusage: haul %s %s\n", c->name, fault, what, c->name, c->usage);
    return EXIT_USAGE;
}

/* NAME=VALUE, split in place. */
static bool add_setting(struct arguments *a, char *text)
{
    char *equals = strchr(text, '=');
    struct setting *more = realloc(a->settings, (a->setting_count + 1) * sizeof *more);
    if (more == NULL)
        return false;
    a->settings = more;
    if (equals == NULL || equals == text)
        return false;
    *equals = '\0';
    more[a->setting_count++] = (struct setting){ text, equals + 1 };
    return true;
}

static void keep(struct arguments *a, int option, const char *word)
{
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (places[i].option != option)
            continue;
        if (places[i].text > 0)
            *(const char **) ((char *) a + places[i].text) = word;
        else
            *(bool *) ((char *) a + places[i].flag) = true;
    }
}

static enum exit_code read_arguments(
    const struct command *c, int argc, char **argv, struct arguments *a)
{
    int option, which = 0;
    unsigned given = 0;
    char letter[] = "-r";
    while ((option = getopt_long(argc, argv, ":hr", long_options, &which)) != -1) {
        if (option == 'h') {
            printf("usage: haul %s %s\n%s\n%s", c->name, c->usage, c->summary,
                c->options & ENDPOINT ? address_help : "");
            exit(EXIT_DONE);
        }
        if (option == ':')
            return bad_usage(c, "this option wants a value: ", argv[optind - 1]);
        letter[1] = (char) optopt;
        if (option == '?')
            return bad_usage(c, "an option that it does not take: ",
                isgraph(optopt) ? letter : argv[optind - 1]);
        if (option == 'r')
            option = RECURSIVE;
        if (!(c->options & (unsigned) option))
            return bad_usage(c, "an option that it does not take: --",
                option == RECURSIVE ? "recursive" : long_options[which].name);
        if (option == SET && !add_setting(a, optarg))
            return bad_usage(c, "--set wants NAME=VALUE, not ", optarg);
        if (option == LOG_FORMAT && strcmp(optarg, "json") != 0 && strcmp(optarg, "text") != 0)
            return bad_usage(c, "--log takes text or json, not ", optarg);
        if (option == LOG_FORMAT)
            log_init(strcmp(optarg, "json") == 0);
        keep(a, option, optarg);
        given |= (unsigned) option;
    }
    if ((given & MANIFEST) && (given & NO_MANIFEST))
        return bad_usage(c, "with --manifest the endpoint is what that says", "");
    a->operands = argv + optind;
    a->operand_count = (size_t) (argc - optind);
    a->operand = a->operand_count > 0 ? a->operands[0] : NULL;
    if (a->operand_count > c->most)
        return bad_usage(c, "does not take ", a->operands[c->most]);
    if (a->operand_count < c->least)
        return bad_usage(c, "an operand is missing", "");
    return EXIT_DONE;
}

/* Keys are in our memory: no core file may hold them. Where a program gets the core
 * (core_pattern), a limit of 0 does not keep it from it, but 1 does, and is too small for a
 * file. Transfers need descriptors. */
static void set_limits(void)
{
    struct rlimit none = { 1, 1 }, files;
    setrlimit(RLIMIT_CORE, &none);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

/* A file of ours must never get the number of a standard stream that was closed. What takes its
 * place is open the wrong way round: to read or write there fails, as it should. */
static void open_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

static enum exit_code carry_out_words(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "--help";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_help(argc > 1 ? stdout : stderr);
        return argc > 1 ? EXIT_DONE : EXIT_USAGE;
    }
    if (strcmp(name, "--version") == 0) {
        puts("haul " HAUL_VERSION);
        return EXIT_DONE;
    }
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(commands[i].name, name) != 0)
            continue;
        struct arguments a = { 0 };
        struct error err = { 0 };
        enum exit_code exit = read_arguments(&commands[i], argc - 1, argv + 1, &a);
        if (exit == EXIT_DONE)
            exit = commands[i].run(&a, &err);
        if (err.text[0] != '\0')
            log_last_word(err.text);
        free(a.settings);
        return exit;
    }
    fprintf(stderr, "haul: there is no command '%s': `haul --help` lists them\n", name);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    open_standard_streams();
    set_limits();
    destination_init();
    enum exit_code exit = carry_out_words(argc, argv);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        log_last_word("the results could not be written to standard output");
        exit = exit == EXIT_DONE ? EXIT_SOME_FAILED : exit;
    }
    return (int) exit;
}
