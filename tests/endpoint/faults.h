/* The fault language: lines that say which requests go wrong, when and how; and the gates that
 * hold requests until a test opens them. README.md is its manual. Any thread may call. */
#ifndef ENDPOINT_FAULTS_H
#define ENDPOINT_FAULTS_H

#include "text.h"

enum { FAULT_WORD_MAX = 128, FAULT_TEXT_MAX = 512 };
#define FAULT_UNSET INT64_MIN

/* What goes wrong with one request: the actions of all the lines that strike it. Numbers are
 * FAULT_UNSET and words empty unless set. */
struct play {
    int64_t status, status_after, retry_after, reset_mid_body, truncate, delay_ms, trickle,
        skew_s, extra_bytes, flip_bit;
    char code[FAULT_WORD_MAX], error_200[FAULT_WORD_MAX], error_200_after[FAULT_WORD_MAX],
        etag[FAULT_WORD_MAX], deny_key[FAULT_WORD_MAX], content_range[FAULT_WORD_MAX],
        header[FAULT_WORD_MAX], gate[FAULT_WORD_MAX], gate_after[FAULT_WORD_MAX];
    bool html, early, drop_before, drop_after, empty_200, empty_200_after, no_etag,
        no_upload_id, ignore_range, replace_object, wrong_checksum, duplicate, duplicate_after;
    struct text lines; /* owned: the lines that struck, for the log */
};

/* What lines choose requests by. */
struct subject {
    const char *op;
    const struct text *bucket, *key;
    unsigned part;     /* 0: none */
    int64_t range;     /* its first byte; -1: none */
    const char *token; /* x-amz-security-token; NULL: none */
};

struct faults;

struct faults *faults_new(void);
void faults_free(struct faults *f);
/* Adds the lines, or none of them: -1, and `complaint` says what is wrong where. `is_operation`
 * knows the names. The gates that they name are closed. */
int faults_add(struct faults *f, const char *lines, bool (*is_operation)(const char *name),
    struct text *complaint);
/* Forgets all lines and opens all gates. */
void faults_clear(struct faults *f);
/* Counts the request at each line that it fits, and collects what strikes it. play_free()
 * afterwards. */
void faults_match(struct faults *f, const struct subject *s, struct play *out);
void play_free(struct play *p);

/* Blocks until the gate is open. */
void faults_hold(struct faults *f, const char *gate);
void faults_open(struct faults *f, const char *gate);
/* Blocks until `count` requests hang at the gate. */
void faults_wait(struct faults *f, const char *gate, unsigned count);
/* Ends all blocking, for good. */
void faults_stop(struct faults *f);

#endif
