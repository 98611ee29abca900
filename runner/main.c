/* The command line: which command, with what arguments, and how the process ends. */
#include <fcntl.h>
#include <getopt.h>
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

enum { SET = 1, QUEUE = 2, FRESH = 4, JSON = 8, WATCH = 16, FAILED = 32, LOG_FORMAT = 64 };
enum operand { NO_OPERAND, OPTIONAL_JOB, NEEDS_FILE };

static const struct command {
    const char *name;
    command_fn *run;
    enum operand operand;
    unsigned options;
    const char *usage, *summary;
} commands[] = {
    { "run", command_run, NEEDS_FILE, SET | QUEUE | FRESH | LOG_FORMAT,
        "FILE [--set NAME=VALUE]... [--new] [--queue PATH] [--log text|json]",
        "plan and carry out; resumes this manifest's unfinished run" },
    { "plan", command_plan, NEEDS_FILE, SET | JSON | LOG_FORMAT,
        "FILE [--set NAME=VALUE]... [--json]",
        "what would be done, object by object and in total; touches nothing" },
    { "check", command_check, NEEDS_FILE, SET, "FILE [--set NAME=VALUE]...",
        "is the manifest right? every error with file:line:column" },
    { "resume", command_resume, OPTIONAL_JOB, QUEUE | LOG_FORMAT,
        "[JOB] [--queue PATH] [--log text|json]",
        "go on after a crash, an interrupt or a pause" },
    { "jobs", command_jobs, NO_OPERAND, JSON, "[--json]", "every run: state, progress, when" },
    { "status", command_status, OPTIONAL_JOB, QUEUE | JSON | WATCH | FAILED,
        "[JOB] [--queue PATH] [--json] [--watch] [--failed]", "one run, live or finished" },
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
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

static void print_help(FILE *out)
{
    fputs("haul moves files to and from S3-compatible stores as batch jobs that resume.\n\n",
        out);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(out, "  haul %-7s %s\n               %s\n", commands[i].name, commands[i].usage,
            commands[i].summary);
    fputs("\nJOB is a run's id or a job's name (its latest run).\n"
          "Exit codes: 0 all done, 1 some objects failed, 2 bad usage or manifest,\n"
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

static enum exit_code read_arguments(
    const struct command *c, int argc, char **argv, struct arguments *a)
{
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
        if (option == 'h') {
            printf("usage: haul %s %s\n%s\n", c->name, c->usage, c->summary);
            exit(EXIT_DONE);
        }
        if (option == '?' || !(c->options & (unsigned) option))
            return bad_usage(c, "an option that it does not take, or one without its value: ",
                argv[optind - 1]);
        if (option == SET && !add_setting(a, optarg))
            return bad_usage(c, "--set wants NAME=VALUE, not ", optarg);
        if (option == LOG_FORMAT && strcmp(optarg, "json") != 0 && strcmp(optarg, "text") != 0)
            return bad_usage(c, "--log takes text or json, not ", optarg);
        if (option == LOG_FORMAT)
            log_init(strcmp(optarg, "json") == 0);
        if (option == QUEUE)
            a->queue = optarg;
        a->fresh |= option == FRESH;
        a->json |= option == JSON;
        a->watch |= option == WATCH;
        a->failed |= option == FAILED;
    }
    if (optind < argc && c->operand != NO_OPERAND)
        a->operand = argv[optind++];
    if (optind < argc)
        return bad_usage(c, "does not take ", argv[optind]);
    if (a->operand == NULL && c->operand == NEEDS_FILE)
        return bad_usage(c, "which manifest?", "");
    return EXIT_DONE;
}

/* Keys are in our memory: no core file may hold them. Transfers need descriptors. */
static void set_limits(void)
{
    struct rlimit none = { 0, 0 }, files;
    setrlimit(RLIMIT_CORE, &none);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

/* A file of ours must never get the number of a standard stream that was closed. */
static void open_standard_streams(void)
{
    int fd;
    while ((fd = open("/dev/null", O_RDWR)) >= 0 && fd <= STDERR_FILENO)
        continue;
    if (fd >= 0)
        close(fd);
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
