/* A stranger's program, outside the tree: puts an object and gets it back, over the store whose
 * URL, bucket included, is its argument. C17, and as main.cc C++11. */
#include <stdio.h>
#include <string.h>

#include <haul/haul.h>

static const char greeting[] = "hello";

static ssize_t give(void *payload, uint64_t offset, void *data, size_t len)
{
    memcpy(data, (const char *) payload + offset, len);
    return (ssize_t) len;
}

static int keep(void *payload, uint64_t offset, const void *data, size_t len)
{
    memcpy((char *) payload + offset, data, len);
    return 0;
}

static void on_done(void *payload, const struct haul_result *result)
{
    *(unsigned *) payload = result->attempts;
}

int main(int argc, char **argv)
{
    static struct haul_endpoint_options options;
    static struct haul_client_options defaults;
    static struct haul_request request;
    static char bytes[16];
    struct haul_error err;
    unsigned attempts = 0;

    struct haul_credentials *credentials = haul_credentials_default(&err);
    options.url = argc > 1 ? argv[1] : "";
    options.credentials = credentials;
    struct haul_endpoint *endpoint = haul_endpoint_new(&options, &err);
    struct haul_client *client = haul_client_new(&defaults, &err);
    if (credentials == NULL || endpoint == NULL || client == NULL) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    request.endpoint = endpoint;
    request.bucket = "bucket";
    request.key = "greeting";
    request.operation = HAUL_PUT_OBJECT;
    request.body.read = give;
    request.body.payload = (void *) greeting;
    request.body.size = strlen(greeting);
    int rc = haul_client_perform(client, &request, on_done, &attempts, &err);
    request.operation = HAUL_GET_OBJECT;
    memset(&request.body, 0, sizeof request.body);
    request.sink.write = keep;
    request.sink.payload = bytes;
    if (rc == 0)
        rc = haul_client_perform(client, &request, on_done, &attempts, &err);
    printf("%u %s\n", attempts, rc < 0 ? err.text : bytes);
    haul_client_free(client);
    haul_endpoint_free(endpoint);
    haul_credentials_free(credentials);
    return rc < 0;
}
