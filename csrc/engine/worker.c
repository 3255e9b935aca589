/* SPDX-License-Identifier: MIT */
/* worker.c - what one thread does with the items it is given */
#include <stdlib.h>

#include "../clock.h"
#include "../jpeg/decoder.h"
#include "../jpeg/info.h"
#include "excerpt.h"
#include "file.h"
#include "recipe.h"
#include "worker.h"

/* A job while the decoder has it; several are open at a time. */
struct open_job {
	struct jpeg_job jpeg;
	struct job job;
	struct excerpt_scratch excerpt; /* with WORK_EXCERPT */
	u8 *file;                       /* with WORK_LOAD */
	size_t file_capacity;
	struct open_job *next_spare;
};

void
worker_release(struct worker *w)
{
	struct open_job *next;

	for (struct open_job *o = w->spare; o != NULL; o = next) {
		next = o->next_spare;
		excerpt_free(&o->excerpt);
		free(o->file);
		free(o);
	}
	w->spare = NULL;
	dctload_free_decoder(w->decoder);
	w->decoder = NULL;
}

static struct dctload_decoder *
need_decoder(struct worker *w)
{
	if (w->decoder == NULL)
		w->decoder = decoder_alloc(w->tables);
	return w->decoder;
}

/* Into memory, and the header of it. */
static void
read_item(struct worker *w, const struct job *job,
	  const struct file_memory *memory)
{
	const struct dctload_limits *limits = &job->batch->limits;
	struct dctload_item *item = job->item;
	size_t offset = 0;

	item->status = DCTLOAD_OK;
	item->system_error = 0;
	item->error_offset = 0;
	if (item->path != NULL) {
		item->in = NULL;
		item->in_nbytes = 0;
		item->status = file_read(item->path, limits->max_file_nbytes,
					 memory, &item->in, &item->in_nbytes,
					 &item->system_error);
	}
	stat_add(&w->stats.files, 1);
	if (item->in != NULL)
		stat_add(&w->stats.in_nbytes, item->in_nbytes);
	if (item->status == DCTLOAD_FILE_TOO_LARGE)
		item->error_offset = limits->max_file_nbytes;
	if (item->status != DCTLOAD_OK)
		return;
	if (need_decoder(w) == NULL) {
		item->status = DCTLOAD_NO_MEMORY;
		return;
	}
	item->status = jpeg_read_info(w->decoder, item->in, item->in_nbytes,
				      limits, &item->info, &offset);
	item->error_offset = offset;
}

struct batch_memory {
	struct arena *arena;
	struct chunk_pool *pool;
};

static u8 *
alloc_in_batch(void *ctx, size_t nbytes)
{
	const struct batch_memory *m = ctx;

	return arena_alloc(m->arena, m->pool, nbytes);
}

void
worker_read(struct worker *w, struct chunk_pool *pool, const struct job *job)
{
	struct batch_memory batch = { &job->batch->files, pool };
	const struct file_memory memory = { alloc_in_batch, &batch };

	read_item(w, job, &memory);
}

/* ---- read, plan and decode ------------------------------------------------ */

/*
 * A larger file's memory goes with the file: sixteen are open at a time, and what is
 * kept for each would grow to the largest that it ever held.
 */
#define KEPT_FILE_NBYTES ((size_t)16 << 10)

static u8 *
alloc_in_job(void *ctx, size_t nbytes)
{
	struct open_job *o = ctx;

	if (o->file == NULL || nbytes > o->file_capacity) {
		const size_t capacity =
			nbytes > KEPT_FILE_NBYTES ? nbytes : KEPT_FILE_NBYTES;

		free(o->file);
		o->file = malloc(capacity);
		o->file_capacity = o->file != NULL ? capacity : 0;
	}
	return o->file;
}

static void
forget_file(struct open_job *o)
{
	if (o->file_capacity <= KEPT_FILE_NBYTES)
		return;
	free(o->file);
	o->file = NULL;
	o->file_capacity = 0;
}

/* Up to where a sample begins: status, or 'skip' for what somebody else does. */
static void
load_item(struct worker *w, struct open_job *o, const struct job *job)
{
	const struct dctload_batch *b = job->batch;
	struct dctload_item *item = job->item;
	const struct dctload_info *info = &item->info;
	const struct file_memory memory = { alloc_in_job, o };
	double draws[DCTLOAD_MAX_DRAWS];
	const u64 start = now_ns();

	item->skip = 0;
	read_item(w, job, &memory);
	stat_add(&w->stats.read_ns, now_ns() - start);
	if (item->status != DCTLOAD_OK)
		return;
	dctload_uniforms(b->seed, b->epoch, b->ids + (item - b->items), 1,
			 b->recipe.num_draws, 0, draws);
	if (!info_is_linear(info) ||
	    dctload_follow_recipe(&b->recipe, info->width, info->height,
				  info->orientation, draws,
				  &item->geometry) != DCTLOAD_OK)
		item->skip = 1;
}

/* Nobody may look at what the job's memory held. */
static void
unload_item(const struct job *job)
{
	if (job->batch->work == WORK_LOAD && job->item->path != NULL)
		job->item->in = NULL;
}

/* ---- between the queue and the decoder ----------------------------------- */

struct drain {
	struct worker *worker;
	const struct job_source *source;
};

static struct open_job *
take_spare(struct worker *w)
{
	struct open_job *o = w->spare;

	if (o == NULL)
		return calloc(1, sizeof(*o));
	w->spare = o->next_spare;
	return o;
}

static void
give_spare(struct worker *w, struct open_job *o)
{
	forget_file(o);
	o->next_spare = w->spare;
	w->spare = o;
}

static enum dctload_status
fill_jpeg_job(struct open_job *o, const struct job *job)
{
	const struct dctload_batch *b = job->batch;
	struct dctload_item *item = job->item;
	const bool sample = b->work == WORK_SAMPLE || b->work == WORK_LOAD;
	const bool excerpt = b->work == WORK_EXCERPT;

	o->job = *job;
	o->jpeg = (struct jpeg_job){
		.info = &item->info,
		.in = item->in,
		.in_nbytes = item->in_nbytes,
		.limits = &b->limits,
		.flags = b->flags,
		.planes = sample  ? NULL :
			  excerpt ? o->excerpt.planes :
				    item->planes,
		.planned = &item->info,
		.region = excerpt ? &o->excerpt.region : &item->region,
		.bypass_cache = b->bypass_cache,
		.geometry = sample ? &item->geometry : NULL,
		.output = sample ? &b->output : NULL,
		.out = sample ? item->out : NULL,
	};
	return excerpt ? excerpt_begin(&o->excerpt, item) : DCTLOAD_OK;
}

/* A file that was sampled, and not read again since. */
static bool
is_forgotten(const struct dctload_item *item)
{
	return item->status == DCTLOAD_OK && item->path != NULL &&
	       item->in == NULL;
}

/* The item's job; NULL if it is done: it failed, or is to be skipped. */
static struct open_job *
open_job(struct worker *w, const struct job *job)
{
	struct dctload_item *item = job->item;
	const bool load = job->batch->work == WORK_LOAD;
	struct open_job *o;

	if (!load && is_forgotten(item))
		item->status = DCTLOAD_BAD_ARGUMENT;
	if (!load && (item->status != DCTLOAD_OK || item->skip))
		return NULL;
	o = take_spare(w);
	if (o == NULL) {
		item->status = DCTLOAD_NO_MEMORY;
		return NULL;
	}
	if (load)
		load_item(w, o, job);
	if (item->status == DCTLOAD_OK && !item->skip)
		item->status = fill_jpeg_job(o, job);
	if (item->status == DCTLOAD_OK && !item->skip)
		return o;
	unload_item(job);
	give_spare(w, o);
	return NULL;
}

static struct jpeg_job *
next_jpeg_job(void *ctx)
{
	const struct drain *drain = ctx;
	const struct job_source *source = drain->source;
	struct job job;

	while (source->next(source->ctx, &job)) {
		struct open_job *const o = open_job(drain->worker, &job);

		if (o != NULL)
			return &o->jpeg;
		source->done(source->ctx, &job);
	}
	return NULL;
}

static void
jpeg_job_done(void *ctx, struct jpeg_job *jpeg)
{
	const struct drain *drain = ctx;
	struct open_job *o = (struct open_job *)(void *)jpeg;
	struct dctload_item *item = o->job.item;

	item->status = jpeg->status;
	item->error_offset = jpeg->error_offset;
	if (item->status == DCTLOAD_OK && o->job.batch->work == WORK_EXCERPT)
		excerpt_finish(&o->excerpt, item);
	unload_item(&o->job);
	drain->source->done(drain->source->ctx, &o->job);
	give_spare(drain->worker, o);
}

STATIC_ASSERT(offsetof(struct open_job, jpeg) == 0);

static void
fail_all(const struct job_source *source, enum dctload_status status)
{
	struct job job;

	while (source->next(source->ctx, &job)) {
		if (job.batch->work == WORK_LOAD ||
		    (job.item->status == DCTLOAD_OK && !job.item->skip))
			job.item->status = status;
		source->done(source->ctx, &job);
	}
}

void
worker_drain(struct worker *w, const struct job_source *source)
{
	struct drain drain = { w, source };

	if (need_decoder(w) == NULL)
		fail_all(source, DCTLOAD_NO_MEMORY);
	else
		jpeg_run(w->decoder, next_jpeg_job, jpeg_job_done, &drain);
	if (w->decoder != NULL)
		atomic_store(&w->stats.transform_ns,
			     decoder_transform_ns(w->decoder));
}

void
worker_add_stats(struct worker *w, struct dctload_engine_stats *sum)
{
	struct worker_stats *stats = &w->stats;

	sum->read_ns += atomic_load(&stats->read_ns);
	sum->work_ns += atomic_load(&stats->work_ns);
	sum->idle_ns += atomic_load(&stats->idle_ns);
	sum->transform_ns += atomic_load(&stats->transform_ns);
	sum->files += atomic_load(&stats->files);
	sum->in_nbytes += atomic_load(&stats->in_nbytes);
}
