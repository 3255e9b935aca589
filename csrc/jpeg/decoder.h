/* SPDX-License-Identifier: MIT */
/* decoder.h - many images through one thread's scratch */
#ifndef DCTLOAD_DECODER_H
#define DCTLOAD_DECODER_H

#include "../common.h"

struct huff_pool;
struct plan;

/*
 * One image to decode, to planes or, if 'output' is set, through a plan
 * (csrc/dct/plan.h) to a tensor.
 */
struct jpeg_job {
	const u8 *in;
	size_t in_nbytes;
	const struct dctload_limits *limits; /* NULL: the defaults */
	u32 flags;
	s16 *const *planes; /* as in dctload_decode(), or NULL */
	/* The header that the planes are made for, or NULL. */
	const struct dctload_info *planned;
	const struct dctload_region *region; /* of the planes, or NULL: all */
	bool bypass_cache; /* the results are not read soon: many jobs follow */
	const struct dctload_geometry *geometry;
	const struct dctload_output *output;
	void *const *out;

	/* Results. */
	enum dctload_status status;
	struct dctload_info *info;
	size_t error_offset;
};

/* Only a region of the planes is asked for. */
static inline bool
job_has_region(const struct jpeg_job *job)
{
	return job->planes != NULL && job->region != NULL &&
	       job->region->width != 0;
}

/* The next job, or NULL if there is none now. */
typedef struct jpeg_job *(*jpeg_next_fn)(void *ctx);
/* 'job' is finished, well or badly. */
typedef void (*jpeg_done_fn)(void *ctx, struct jpeg_job *job);

/* As dctload_alloc_decoder(), with the tables of a pool that outlives it. */
struct dctload_decoder *decoder_alloc(struct huff_pool *pool);

/*
 * Take jobs and finish them until there are none.  Several are open at a time,
 * so they may be finished out of order, and it pays to offer more than one.
 */
void jpeg_run(struct dctload_decoder *d, jpeg_next_fn next, jpeg_done_fn done,
	      void *ctx);

/* As dctload_read_info(), quicker for headers that came before. */
enum dctload_status
jpeg_read_info(struct dctload_decoder *d, const u8 *in, size_t in_nbytes,
	       const struct dctload_limits *limits,
	       struct dctload_info *info_ret, size_t *error_offset_ret);

/* Time spent in plans by jpeg_run(), since the decoder was made. */
u64 decoder_transform_ns(const struct dctload_decoder *d);

/* The plan of dctload_transform() and dctload_resample(). */
struct plan *decoder_plan(struct dctload_decoder *d);

#endif /* DCTLOAD_DECODER_H */
