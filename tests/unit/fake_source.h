/* A source of keys that does as a test says. Each time that it is asked it gives the scripted
 * endpoint's keys with another session token, by which faults can tell them apart: "t1", "t2",
 * and so on. */
#ifndef FAKE_SOURCE_H
#define FAKE_SOURCE_H

#include <pthread.h>
#include <signal.h>

#include "credentials.h"

struct fake_source {
    struct haul_credentials *keys; /* owned; asked once */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int gate_fd;      /* owned; readable while the gate is open */
    int64_t life_ms;  /* of its keys; 0: they never expire */
    unsigned asks;    /* so far, those under way included */
    unsigned failing; /* so many further ones fail: "nobody is at home" */
    bool repeats;     /* the same token again */
    bool gives_half;  /* no secret */
    sigset_t blocked; /* signals, on the thread that asked last */
};

struct fake_source *fake_source_new(int64_t life_ms);
void fake_source_free(struct fake_source *s);

/* Any thread. */
void fake_source_fail(struct fake_source *s, unsigned times);
unsigned fake_source_asks(struct fake_source *s);
void fake_source_wait(struct fake_source *s, unsigned asks); /* until it was asked so often */
void fake_source_close(struct fake_source *s); /* who asks waits until it is opened again */
void fake_source_open(struct fake_source *s);

/* The token of the keys to sign with: a static text. Fails the test when there are none. */
const char *fake_source_token(struct fake_source *s);

/* As if a server had said so of the present keys. */
void fake_source_expire(struct fake_source *s);

#endif
