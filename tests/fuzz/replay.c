/* Runs a fuzz target over the files of a corpus, once each: the target as a test, with any
 * compiler. `fuzz_TARGET FOLDER` fails as the target does, and when there is no file. */
#include <dirent.h>
#include <err.h>
#include <sys/stat.h>

#include "fuzz.h"

static void replay(const char *path)
{
    struct stat st;
    FILE *f = fopen(path, "r");
    if (f == NULL || fstat(fileno(f), &st) < 0)
        err(1, "%s", path);
    size_t len = (size_t) st.st_size;
    uint8_t *data = malloc(len > 0 ? len : 1); /* of its own size: a read behind it is seen */
    if (data == NULL || fread(data, 1, len, f) != len)
        err(1, "%s", path);
    fclose(f);
    printf("%s\n", path);
    fflush(stdout);
    LLVMFuzzerTestOneInput(data, len);
    free(data);
}

static int is_file(const struct dirent *entry)
{
    return *entry->d_name != '.';
}

int main(int argc, char **argv)
{
    struct dirent **entries;
    int count = argc == 2 ? scandir(argv[1], &entries, is_file, alphasort) : 0;
    if (count <= 0)
        errx(1, "usage: %s FOLDER, which has files", argv[0]);
    for (int i = 0; i < count; i++) {
        char *path;
        if (asprintf(&path, "%s/%s", argv[1], entries[i]->d_name) < 0)
            errx(1, "out of memory");
        replay(path);
        free(path);
        free(entries[i]);
    }
    free(entries);
    return 0;
}
