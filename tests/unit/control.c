#include "control.h"

#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MAX (1 << 20)

void control_ask(unsigned port, const char *method, const char *path, const char *body,
    char *out, size_t size)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
        .sin_port = htons((uint16_t) port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    char *text = calloc(1, ANSWER_MAX);
    size_t len = 0;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (text == NULL || fd < 0 || connect(fd, (struct sockaddr *) &at, sizeof at) < 0)
        err(1, "the server's control");
    dprintf(fd,
        "%s /-/%s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: "
        "%zu\r\n\r\n"
        "%s",
        method, path, strlen(body), body);
    for (ssize_t n;
         len < ANSWER_MAX - 1 && (n = read(fd, text + len, ANSWER_MAX - 1 - len)) > 0;)
        len += (size_t) n;
    close(fd);
    text[len] = '\0';
    const char *answer = strstr(text, "\r\n\r\n");
    if (strncmp(text, "HTTP/1.1 200 ", 13) != 0 || answer == NULL)
        errx(1, "the server refuses %s: %s", path, text);
    if (out != NULL)
        snprintf(out, size, "%s", answer + 4);
    free(text);
}
