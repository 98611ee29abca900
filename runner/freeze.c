/* A manifest as JSON, in the grammar that manifest.c reads: what equals a default is left out,
 * and everything stands in a fixed order, so that one meaning has one text. */
#include "manifest.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "address.h"
#include "json.h"
#include "words.h"

struct writer {
    FILE *out;
    const char *comma; /* what the next item begins with */
};

static void begin(struct writer *w, char bracket)
{
    fprintf(w->out, "%s%c", w->comma, bracket);
    w->comma = "";
}

static void end(struct writer *w, char bracket)
{
    putc(bracket, w->out);
    w->comma = ",";
}

/* "${" would be a variable's, "$${" is its literal. */
static void put_text(struct writer *w, const char *text)
{
    fprintf(w->out, "%s\"", w->comma);
    while (*text != '\0') {
        if (text[0] == '$' && text[1] == '{')
            putc('$', w->out);
        text += json_character(w->out, text);
    }
    putc('"', w->out);
    w->comma = ",";
}

static void put_name(struct writer *w, const char *name)
{
    put_text(w, name);
    putc(':', w->out);
    w->comma = "";
}

static void put_field(struct writer *w, const char *name, const char *text)
{
    if (text == NULL)
        return;
    put_name(w, name);
    put_text(w, text);
}

static void put_number(struct writer *w, const char *name, uint64_t value, uint64_t usual)
{
    if (value == usual)
        return;
    put_name(w, name);
    fprintf(w->out, "%" PRIu64, value);
    w->comma = ",";
}

static void put_word(
    struct writer *w, const char *name, const char *const *words, unsigned value)
{
    if (value != 0)
        put_field(w, name, words[value]);
}

static void put_secret(struct writer *w, const char *name, const char *variable)
{
    if (variable == NULL)
        return;
    put_name(w, name);
    fprintf(w->out, "\"${env:%s}\"", variable);
    w->comma = ",";
}

static void put_flag(struct writer *w, const char *name, bool value)
{
    if (!value)
        return;
    put_name(w, name);
    fputs("true", w->out);
    w->comma = ",";
}

static void put_list(struct writer *w, const char *name, char *const *list)
{
    if (list == NULL)
        return;
    put_name(w, name);
    begin(w, '[');
    for (; *list != NULL; list++)
        put_text(w, *list);
    end(w, ']');
}

static void put_credentials(struct writer *w, const struct manifest_endpoint *e)
{
    if (e->credentials != CREDENTIALS_PROFILE && e->credentials != CREDENTIALS_KEYS) {
        put_word(w, "credentials", credentials_words, e->credentials);
        return;
    }
    put_name(w, "credentials");
    begin(w, '{');
    put_field(w, "profile", e->profile);
    put_field(w, "file", e->file);
    put_secret(w, "access_key_id", e->key_id_variable);
    put_secret(w, "secret_access_key", e->secret_variable);
    put_secret(w, "session_token", e->token_variable);
    end(w, '}');
}

static void put_endpoint(struct writer *w, const struct manifest_endpoint *e)
{
    put_name(w, e->name);
    begin(w, '{');
    put_field(w, "url", e->url);
    put_field(w, "region", e->region);
    put_word(w, "addressing", addressing_words, e->addressing);
    put_word(w, "payload", payload_words, e->payload);
    put_credentials(w, e);
    put_field(w, "ca_file", e->ca_file);
    put_field(w, "client_cert", e->client_cert);
    put_field(w, "client_key", e->client_key);
    put_secret(w, "client_key_password", e->key_password_variable);
    put_flag(w, "insecure", e->insecure);
    put_flag(w, "dualstack", e->dualstack);
    put_flag(w, "fips", e->fips);
    put_flag(w, "accelerate", e->accelerate);
    end(w, '}');
}

static void put_transfer(struct writer *w, const struct transfer *t)
{
    char remote[sizeof(struct address) + sizeof ":///"];
    const bool up = t->kind == TRANSFER_UPLOAD;

    snprintf(remote, sizeof remote, "%s://%s/%s", t->endpoint->name, t->bucket, t->key);
    begin(w, '{');
    put_field(w, up ? "upload" : "download", up ? t->local : remote);
    put_field(w, "to", up ? remote : t->local);
    put_list(w, "include", t->include);
    put_list(w, "exclude", t->exclude);
    put_word(w, "when", when_words, t->when);
    put_number(w, "part_size", t->part_bytes, 0);
    end(w, '}');
}

char *manifest_freeze(const struct manifest *m)
{
    char *text = NULL;
    size_t len;
    struct writer w = { open_memstream(&text, &len), "" };
    if (w.out == NULL)
        return NULL;

    begin(&w, '{');
    put_number(&w, "version", 1, 0);
    put_field(&w, "name", m->name);
    put_name(&w, "defaults");
    begin(&w, '{');
    put_number(&w, "concurrency", m->concurrency, 0);
    put_number(&w, "retries", m->retries, MANIFEST_RETRIES);
    put_number(&w, "patience", m->patience_s, MANIFEST_PATIENCE_S);
    end(&w, '}');
    put_name(&w, "endpoints");
    begin(&w, '{');
    for (size_t i = 0; i < m->endpoint_count; i++)
        put_endpoint(&w, m->endpoints[i]);
    end(&w, '}');
    put_name(&w, "transfers");
    begin(&w, '[');
    for (size_t i = 0; i < m->transfer_count; i++)
        put_transfer(&w, m->transfers[i]);
    end(&w, ']');
    end(&w, '}');

    const bool lost = ferror(w.out);
    if (fclose(w.out) != 0 || lost) {
        free(text);
        text = NULL;
    }
    return text;
}
