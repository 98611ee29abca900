/* Why an attempt brought no reply: see transport.h. libcurl writes what it knows into the
 * exchange's buffer; more than its code is told apart by those words alone. */
#include "transport.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attempt.h"
#include "endpoint.h"
#include "retry.h"

/* Whom a connection could not be made to. */
struct peer {
    char host[256];
    unsigned port;
    const char *why; /* borrowed: the system's, or of the words */
};

/* "Failed to connect to HOST port PORT after 3 ms: WHY" */
static bool find_peer(CURL *easy, const char *words, struct peer *out)
{
    long cause = 0;
    curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &cause);
    if (sscanf(words, "Failed to connect to %255s port %u ", out->host, &out->port) != 2)
        return false;
    const char *why = strstr(words, " ms: ");
    out->why = cause != 0 ? strerror((int) cause) : why ? why + strlen(" ms: ") : words;
    return true;
}

/* We follow no redirects, so whoever is not in the URL is a proxy. */
static bool is_proxy(CURL *easy, const struct peer *p)
{
    char *url = NULL, *host = NULL, *port = NULL;
    bool same = true;
    CURLU *u = curl_url();
    curl_easy_getinfo(easy, CURLINFO_EFFECTIVE_URL, &url);
    if (u != NULL && url != NULL && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK) {
        const char *name = host + (*host == '['); /* libcurl's words have no brackets */
        size_t len = strcspn(name, "]");
        same = strlen(p->host) == len && strncmp(name, p->host, len) == 0 &&
               strtoul(port, NULL, 10) == p->port;
    }
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(u);
    return !same;
}

/* They will refuse each other every time. Not a connection that was lost in the handshake, and
 * not whatever the other side could not help. */
static bool is_distrust(CURLcode code, const char *words)
{
    static const CURLcode codes[] = { CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE,
        CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER, CURLE_SSL_ISSUER_ERROR,
        CURLE_SSL_PINNEDPUBKEYNOTMATCH };
    /* Under TLS 1.3 a server's refusal comes after the handshake, as a reply that can't be
     * read.
     */
    static const char *const refusals[] = { "alert bad certificate", "alert certificate",
        "alert unknown ca", "alert unsupported certificate", "alert access denied",
        "alert handshake failure", "alert protocol version", "alert insufficient security",
        "alert unrecognized name", "wrong version number", "unsupported protocol",
        "no protocols available", "packet length too long" };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i] == code)
            return true;
    if (strstr(words, "SSL routines") == NULL)
        return false;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        if (strstr(words, refusals[i]) != NULL)
            return true;
    return false;
}

static void judge_distrust(
    const struct haul_endpoint *e, CURLcode code, const char *words, struct haul_error *err)
{
    static const char mark[] = "SSL routines::"; /* before what OpenSSL says in English */
    const char *next = "", *marked = strstr(words, mark);
    const char *said = marked ? marked + strlen(mark) : words;
    size_t len = marked ? strcspn(said, ",") : strlen(said);
    if (code == CURLE_SSL_CERTPROBLEM)
        next = ": check client_cert, client_key and client_key_password";
    else if (e->client_cert == NULL && strstr(words, " alert ") != NULL)
        next = ": it may ask for a client_cert";
    haul_error_set(err, HAUL_TLS, "%s: %.*s%s", haul_endpoint_url(e), (int) len, said, next);
}

/* The proxy's own reply to CONNECT. */
static void judge_connect(CURL *easy, const char *url, int status, struct haul_error *err)
{
    char *address = NULL;
    long port = 0;
    curl_easy_getinfo(easy, CURLINFO_PRIMARY_IP, &address);
    curl_easy_getinfo(easy, CURLINFO_PRIMARY_PORT, &port);
    haul_error_set(err, HAUL_NETWORK,
        "the proxy at %s port %ld answered %d when asked for the way to %s%s",
        address ? address : "", port, status, url,
        status == 407 ? ": its URL needs another user and password" : "");
    err->retry = retry_class(status, "");
    if (err->retry == HAUL_RETRY_NEVER)
        err->retry = HAUL_RETRY_WHEN_FIXED; /* it is no matter of this one request */
}

void transport_judge(const struct exchange *x, int code, struct haul_error *err)
{
    const char *url = haul_endpoint_url(x->request->endpoint);
    const char *words = *x->words ? x->words : curl_easy_strerror((CURLcode) code);
    struct peer peer;
    long status = 0;
    curl_easy_getinfo(x->easy, CURLINFO_HTTP_CONNECTCODE, &status);
    if (code == CURLE_OUT_OF_MEMORY) {
        haul_error_set(err, HAUL_NO_MEMORY, "%s: out of memory", url);
        err->retry = HAUL_RETRY_LATER;
    } else if (status >= 300) {
        judge_connect(x->easy, url, (int) status, err);
    } else if (is_distrust((CURLcode) code, words)) {
        judge_distrust(x->request->endpoint, (CURLcode) code, words, err);
    } else if (find_peer(x->easy, words, &peer)) {
        bool proxy = is_proxy(x->easy, &peer);
        haul_error_set(err, HAUL_NETWORK, "%s%s: can't connect to %s%s port %u: %s",
            proxy ? "on the way to " : "", url, proxy ? "the proxy " : "", peer.host, peer.port,
            peer.why);
    } else if (strstr(words, "Unsupported proxy") == words) { /* and they repeat it */
        haul_error_set(err, HAUL_BAD_CONFIG,
            "the environment's proxy is no URL: expected http://[user:password@]host:port");
    } else {
        haul_error_set(err, HAUL_NETWORK, "%s: %s", url, words);
    }
}
