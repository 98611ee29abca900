/* The manifest's words for the values of enums (the index is the value), and its defaults that
 * are not 0. */
#ifndef WORDS_H
#define WORDS_H

#include "manifest.h"

/* Unless the manifest says otherwise. */
#define MANIFEST_RETRIES 10
#define MANIFEST_PATIENCE_S 300

static const char *const addressing_words[] = {
    [HAUL_ADDRESS_AUTO] = "auto",
    [HAUL_ADDRESS_PATH] = "path",
    [HAUL_ADDRESS_VIRTUAL] = "virtual",
    NULL,
};

static const char *const payload_words[] = {
    [HAUL_PAYLOAD_AUTO] = "auto",
    [HAUL_PAYLOAD_SIGNED] = "signed",
    [HAUL_PAYLOAD_UNSIGNED] = "unsigned",
    [HAUL_PAYLOAD_CHUNKED] = "chunked",
    NULL,
};

static const char *const credentials_words[] = {
    [CREDENTIALS_AUTO] = "auto",
    [CREDENTIALS_ENV] = "env",
    [CREDENTIALS_CONTAINER] = "container",
    [CREDENTIALS_INSTANCE] = "instance",
    [CREDENTIALS_WEB_IDENTITY] = "web_identity",
    [CREDENTIALS_ANONYMOUS] = "anonymous",
    NULL,
};

static const char *const when_words[] = {
    [WHEN_ALWAYS] = "always",
    [WHEN_MISSING] = "missing",
    [WHEN_CHANGED] = "changed",
    NULL,
};

#endif
