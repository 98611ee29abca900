/* A stranger's program, outside the tree: puts an object into the bucket whose URL is its
 * argument, and gets it back. C17, and as main.cc C++11. */
#include <stdio.h>
#include <stdlib.h>

#include <haul/haul.h>

int main(int argc, char **argv)
{
    static struct haul_request request; /* zero: C++11 has no names in initialisers */
    struct haul_error err;
    char *data = NULL;
    size_t len;

    request.key = "greeting";
    struct haul_store *store = haul_store_new(argc > 1 ? argv[1] : "", NULL, &err);
    if (store == NULL || haul_put_string(store, &request, "hello", &err) == NULL ||
        haul_get_memory(store, &request, 1000, &data, &len, &err) == NULL)
        fprintf(stderr, "%s\n", err.text);
    else
        printf("%s of %zu bytes, libhaul %s\n", data, len, HAUL_VERSION);
    int rc = data == NULL;
    free(data);
    haul_store_free(store);
    return rc;
}
