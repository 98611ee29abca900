/* A home for one test: see home.h. */
#include "home.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "temp.h"

static void clear_environment(void)
{
    char name[128];
    for (char **e = environ; *e != NULL;) {
        const size_t len = strcspn(*e, "=");
        if (strncmp(*e, "AWS_", 4) != 0 || len >= sizeof name) {
            e++;
            continue;
        }
        memcpy(name, *e, len);
        name[len] = '\0';
        unsetenv(name); /* the next one moves up */
    }
}

int home_make(void **state)
{
    clear_environment();
    *state = temp_make();
    setenv("HOME", *state, 1);
    char *path = temp_path(*state, ".aws");
    int rc = mkdir(path, 0700);
    free(path);
    return rc;
}

int home_remove(void **state)
{
    clear_environment();
    temp_remove(*state);
    return 0;
}

void home_write(void **state, const char *name, const char *text)
{
    free(temp_write_text(*state, name, text));
}
