/* SPDX-License-Identifier: MIT */
/* worker.c - what one thread does with the items it is given */
#include <stdlib.h>
#include <time.h>

#include "file.h"
#include "worker.h"

/* Scratch for one huge image is given back after it, not kept per thread. */
#define COEFS_KEPT_NBYTES ((size_t)64 << 20)
#define COEFS_ALIGN ((size_t)64)

u64
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000 + (u64)ts.tv_nsec;
}

static void
release_coefs(struct worker *w)
{
	free(w->coefs);
	w->coefs = NULL;
	w->coefs_nbytes = 0;
}

void
worker_release(struct worker *w)
{
	dctload_free_decoder(w->decoder);
	w->decoder = NULL;
	release_coefs(w);
}

static struct dctload_decoder *
get_decoder(struct worker *w)
{
	if (w->decoder == NULL)
		w->decoder = dctload_alloc_decoder();
	return w->decoder;
}

static bool
reserve_coefs(struct worker *w, size_t nbytes)
{
	if (nbytes <= w->coefs_nbytes)
		return true;
	release_coefs(w);
	nbytes = (nbytes + COEFS_ALIGN - 1) & ~(COEFS_ALIGN - 1);
	w->coefs = aligned_alloc(COEFS_ALIGN, nbytes);
	if (w->coefs == NULL)
		return false;
	w->coefs_nbytes = nbytes;
	return true;
}

void
worker_read(struct worker *w, const struct job *job)
{
	struct dctload_item *item = job->item;
	size_t offset = 0;

	item->status = DCTLOAD_OK;
	item->system_error = 0;
	item->error_offset = 0;
	if (item->path != NULL) {
		item->in = NULL;
		item->in_nbytes = 0;
		item->status =
			file_read(item->path, &job->batch->files, &item->in,
				  &item->in_nbytes, &item->system_error);
	}
	stat_add(&w->stats.files, 1);
	stat_add(&w->stats.in_nbytes, item->in_nbytes);
	if (item->status != DCTLOAD_OK)
		return;
	item->status =
		dctload_read_info(item->in, item->in_nbytes,
				  &job->batch->limits, &item->info, &offset);
	item->error_offset = offset;
}

static enum dctload_status
decode_item(struct worker *w, const struct job *job,
	    s16 *const planes[DCTLOAD_MAX_COMPONENTS])
{
	const struct dctload_batch *b = job->batch;
	struct dctload_item *item = job->item;
	enum dctload_status status;
	size_t offset = 0;

	if (get_decoder(w) == NULL)
		return DCTLOAD_NO_MEMORY;
	status = dctload_decode(w->decoder, item->in, item->in_nbytes,
				&b->limits, b->flags, planes, &item->info,
				&offset);
	item->error_offset = offset;
	return status;
}

static enum dctload_status
sample_item(struct worker *w, const struct job *job)
{
	struct dctload_item *item = job->item;
	s16 *planes[DCTLOAD_MAX_COMPONENTS];
	const s16 *filled[DCTLOAD_MAX_COMPONENTS];
	enum dctload_status status;

	if (!reserve_coefs(w, info_coefs_nbytes(&item->info)))
		return DCTLOAD_NO_MEMORY;
	info_place_planes(&item->info, w->coefs, planes);
	status = decode_item(w, job, planes);
	if (status == DCTLOAD_OK) {
		for (u32 c = 0; c < DCTLOAD_MAX_COMPONENTS; c++)
			filled[c] = planes[c];
		status = dctload_transform(w->decoder, &item->info, filled,
					   &item->geometry, &job->batch->output,
					   item->out);
	}
	if (w->coefs_nbytes > COEFS_KEPT_NBYTES)
		release_coefs(w);
	return status;
}

void
worker_drain(struct worker *w, const struct job_source *source)
{
	struct job job;

	while (source->next(source->ctx, &job)) {
		struct dctload_item *item = job.item;

		if (item->status == DCTLOAD_OK && !item->skip) {
			if (job.batch->work == WORK_DECODE)
				item->status =
					decode_item(w, &job, item->planes);
			else
				item->status = sample_item(w, &job);
		}
		source->done(source->ctx, &job);
	}
}
