/* SPDX-License-Identifier: MIT */
/* threads.h - the pool of threads and its queue of work */
#ifndef DCTLOAD_THREADS_H
#define DCTLOAD_THREADS_H

#include "batch.h"

/* Drop what is queued of 'b' and wait for what has begun, wherever it is. */
void engine_forget_batch(struct dctload_batch *b);

#endif /* DCTLOAD_THREADS_H */
