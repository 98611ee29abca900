/* Temporary folders for tests: see temp.h. */
#include "temp.h"

#include <dirent.h>
#include <err.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *temp_make(void)
{
    const char *parent = getenv("TMPDIR");
    char *path;
    if (asprintf(&path, "%s/haul-test-XXXXXX", parent == NULL ? "/tmp" : parent) < 0)
        err(1, "out of memory");
    if (mkdtemp(path) == NULL)
        err(1, "%s", path);
    return path;
}

char *temp_path(const char *folder, const char *name)
{
    char *path;
    if (asprintf(&path, "%s/%s", folder, name) < 0)
        err(1, "out of memory");
    return path;
}

unsigned temp_count(const char *folder)
{
    unsigned count = 0;
    DIR *d = opendir(folder);
    if (d == NULL)
        err(1, "%s", folder);
    while (readdir(d) != NULL)
        count++;
    closedir(d);
    return count - 2; /* "." and ".." */
}

char *temp_write(const char *folder, const char *name, const void *data, size_t len)
{
    char *path = temp_path(folder, name);
    FILE *f = fopen(path, "w");
    if (f == NULL || fwrite(data, 1, len, f) != len || fclose(f) != 0)
        err(1, "%s", path);
    return path;
}

char *temp_write_text(const char *folder, const char *name, const char *text)
{
    return temp_write(folder, name, text, strlen(text));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void) st, (void) type, (void) walk;
    return remove(path);
}

void temp_remove(char *folder)
{
    if (nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
        err(1, "%s", folder);
    free(folder);
}
