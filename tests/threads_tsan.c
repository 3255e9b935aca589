/* SPDX-License-Identifier: MIT */
/*
 * threads_tsan.c - the engine under ThreadSanitizer, without Python
 *
 *	threads_tsan FILE.jpg ...
 *
 * Proves that no two threads touch the same memory without an order between
 * them while batches are submitted, read, decoded, sampled, loaded, waited for with
 * and without a timeout, cancelled and dropped, statistics are read, and the engine is
 * stopped while others wait; and that
 * results are those of a single decode.  Prints "ok" and exits 0; a wrong result
 * exits 1, a race makes the sanitizer exit 66.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dctload.h"

#define NUM_BATCHES 6
#define BATCH_SIZE 32
#define NUM_ROUNDS 20
#define OUT_SIZE 32

static char **files;
static uint32_t num_files;

static void
check(int good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "failed: %s\n", what);
	exit(1);
}

static size_t
coefs_nbytes(const struct dctload_info *info)
{
	size_t nbytes = 0;

	for (int c = 0; c < info->num_components; c++)
		nbytes += (size_t)info->components[c].blocks_w *
			  info->components[c].blocks_h * 64 * sizeof(int16_t);
	return nbytes;
}

/* Planes in one piece of memory, which the caller frees by planes[0]. */
static size_t
alloc_planes(const struct dctload_info *info, int16_t *planes[4])
{
	const size_t nbytes = coefs_nbytes(info);
	int16_t *p = malloc(nbytes);

	check(p != NULL, "memory");
	for (int c = 0; c < info->num_components; c++) {
		planes[c] = p;
		p += (size_t)info->components[c].blocks_w *
		     info->components[c].blocks_h * 64;
	}
	return nbytes;
}

static void
set_paths(struct dctload_batch *b, uint32_t first)
{
	struct dctload_item *items = dctload_batch_items(b);

	for (uint32_t i = 0; i < BATCH_SIZE; i++) {
		items[i].path = files[(first + i) % num_files];
		items[i].skip = (first + i) % 11 == 10;
	}
}

static void
check_decoded(struct dctload_decoder *d, const struct dctload_item *item)
{
	int16_t *planes[4];
	struct dctload_info info;
	const size_t nbytes = alloc_planes(&item->info, planes);

	check(dctload_decode(d, item->in, item->in_nbytes, NULL, 0, planes,
			     &info, NULL) == DCTLOAD_OK,
	      "decode");
	check(memcmp(planes[0], item->planes[0], nbytes) == 0, "coefficients");
	free(planes[0]);
}

/* Several batches at once: read, then decode or cancel, then compare. */
static void
decode_round(struct dctload_engine *e, struct dctload_decoder *d,
	     uint32_t round)
{
	struct dctload_batch *batches[NUM_BATCHES];
	struct dctload_engine_stats stats;

	for (uint32_t k = 0; k < NUM_BATCHES; k++) {
		batches[k] = dctload_alloc_batch(BATCH_SIZE);
		set_paths(batches[k], round + k);
		check(dctload_submit_read(e, batches[k], BATCH_SIZE, NULL) ==
			      DCTLOAD_OK,
		      "submit");
	}
	for (uint32_t k = 0; k < NUM_BATCHES; k++) {
		struct dctload_item *items = dctload_batch_items(batches[k]);

		while (dctload_wait(e, batches[k], 1) != 0)
			dctload_get_stats(e, &stats);
		for (uint32_t i = 0; i < BATCH_SIZE; i++) {
			if (!items[i].skip)
				alloc_planes(&items[i].info, items[i].planes);
		}
		check(dctload_submit_decode(e, batches[k], BATCH_SIZE, NULL,
					    0) == DCTLOAD_OK,
		      "done, and not let go of");
		if ((round + k) % 3 == 2)
			dctload_cancel(e, batches[k]);
	}
	for (uint32_t k = 0; k < NUM_BATCHES; k++) {
		struct dctload_item *items = dctload_batch_items(batches[k]);

		check(dctload_wait(e, batches[k], -1) == 0, "wait");
		for (uint32_t i = 0; i < BATCH_SIZE; i++) {
			if (items[i].skip)
				continue;
			if (items[i].status == DCTLOAD_OK)
				check_decoded(d, &items[i]);
			else
				check(items[i].status == DCTLOAD_CANCELLED,
				      "status");
			free(items[i].planes[0]);
		}
		dctload_free_batch(batches[k]);
	}
}

static void
fill_output(struct dctload_output *output)
{
	memset(output, 0, sizeof(*output));
	output->width = OUT_SIZE;
	output->height = OUT_SIZE;
	output->layout = DCTLOAD_PLANES;
	for (int c = 0; c < 3; c++) {
		output->num_freqs[c] = 16;
		for (int j = 0; j < 16; j++) {
			output->freqs[c][j] = (uint8_t)j;
			output->scale[c][j] = 1;
		}
	}
}

/* The left upper part, stretched, so that two runs must give the same bits. */
static void
fill_geometry(struct dctload_geometry *g, const struct dctload_info *info)
{
	const struct dctload_step x = { 0,        info->width / 2.0,
					0,        info->width / 2.0 / OUT_SIZE,
					OUT_SIZE, DCTLOAD_BILINEAR };
	const struct dctload_step y = { 0,        info->height / 2.0,
					0,        info->height / 2.0 / OUT_SIZE,
					OUT_SIZE, DCTLOAD_BILINEAR };

	memset(g, 0, sizeof(*g));
	g->num_x = 1;
	g->num_y = 1;
	g->x[0] = x;
	g->y[0] = y;
}

/* Sample the same batch twice, with other batches read meanwhile. */
static void
sample_round(struct dctload_engine *e)
{
	struct dctload_batch *b = dctload_alloc_batch(BATCH_SIZE);
	struct dctload_batch *other = dctload_alloc_batch(BATCH_SIZE);
	struct dctload_item *items = dctload_batch_items(b);
	struct dctload_output output;
	size_t nbytes[2];
	char *memory[2][2];

	fill_output(&output);
	dctload_output_nbytes(&output, nbytes);
	set_paths(b, 0);
	dctload_submit_read(e, b, BATCH_SIZE, NULL);
	check(dctload_wait(e, b, -1) == 0, "wait");
	for (uint32_t turn = 0; turn < 2; turn++) {
		memory[turn][0] = calloc(BATCH_SIZE, nbytes[0]);
		memory[turn][1] = calloc(BATCH_SIZE, nbytes[1]);
		for (uint32_t i = 0; i < BATCH_SIZE; i++) {
			items[i].out[0] = memory[turn][0] + i * nbytes[0];
			items[i].out[1] = memory[turn][1] + i * nbytes[1];
			if (!items[i].skip)
				fill_geometry(&items[i].geometry,
					      &items[i].info);
		}
		set_paths(other, 5);
		dctload_submit_sample(e, b, BATCH_SIZE, NULL, 0, &output);
		dctload_submit_read(e, other, BATCH_SIZE, NULL);
		check(dctload_wait(e, b, -1) == 0, "wait");
		check(dctload_wait(e, other, -1) == 0, "wait");
	}
	for (int k = 0; k < 2; k++) {
		check(memcmp(memory[0][k], memory[1][k],
			     BATCH_SIZE * nbytes[k]) == 0,
		      "samples");
		free(memory[0][k]);
		free(memory[1][k]);
	}
	dctload_free_batch(other);
	dctload_free_batch(b);
}

static void
fill_recipe(struct dctload_recipe *recipe)
{
	memset(recipe, 0, sizeof(*recipe));
	recipe->num_parts = 1;
	recipe->num_draws = DCTLOAD_CROP_DRAWS;
	recipe->parts[0].kind = DCTLOAD_RANDOM_RESIZED_CROP;
	recipe->parts[0].filter = DCTLOAD_BILINEAR;
	recipe->parts[0].width = recipe->parts[0].height = OUT_SIZE;
	recipe->parts[0].p[0] = 0.1;
	recipe->parts[0].p[1] = recipe->parts[0].p[2] = 1;
	recipe->parts[0].p[3] = 1;
}

/* The same files loaded in several batches at once, some of them dropped. */
static void
load_round(struct dctload_engine *e)
{
	struct dctload_batch *batches[NUM_BATCHES];
	uint64_t ids[BATCH_SIZE];
	struct dctload_output output;
	struct dctload_recipe recipe;
	size_t nbytes[2];
	char *memory[NUM_BATCHES][2];

	fill_output(&output);
	fill_recipe(&recipe);
	dctload_output_nbytes(&output, nbytes);
	for (uint32_t i = 0; i < BATCH_SIZE; i++)
		ids[i] = i;
	for (int k = 0; k < NUM_BATCHES; k++) {
		struct dctload_item *items;

		batches[k] = dctload_alloc_batch(BATCH_SIZE);
		set_paths(batches[k], 3);
		items = dctload_batch_items(batches[k]);
		memory[k][0] = calloc(BATCH_SIZE, nbytes[0]);
		memory[k][1] = calloc(BATCH_SIZE, nbytes[1]);
		for (uint32_t i = 0; i < BATCH_SIZE; i++) {
			items[i].out[0] = memory[k][0] + i * nbytes[0];
			items[i].out[1] = memory[k][1] + i * nbytes[1];
		}
		check(dctload_submit_load(e, batches[k], BATCH_SIZE, NULL,
					  &output, &recipe, 1, 2,
					  ids) == DCTLOAD_OK,
		      "submit");
	}
	dctload_cancel(e, batches[NUM_BATCHES - 1]);
	for (int k = 0; k < NUM_BATCHES; k++) {
		check(dctload_wait(e, batches[k], -1) == 0, "wait");
		if (k + 1 < NUM_BATCHES)
			check(dctload_count_failed(batches[k], BATCH_SIZE) == 0,
			      "load");
		for (int j = 0; j < 2 && k + 1 < NUM_BATCHES; j++)
			check(memcmp(memory[0][j], memory[k][j],
				     BATCH_SIZE * nbytes[j]) == 0,
			      "loaded samples");
	}
	for (int k = 0; k < NUM_BATCHES; k++) {
		dctload_free_batch(batches[k]);
		free(memory[k][0]);
		free(memory[k][1]);
	}
}

/* An engine that goes while work is queued, and batches that go after it. */
static void
abandon_round(uint32_t num_threads)
{
	struct dctload_engine *e = dctload_alloc_engine(num_threads);
	struct dctload_batch *early = dctload_alloc_batch(BATCH_SIZE);
	struct dctload_batch *late = dctload_alloc_batch(BATCH_SIZE);

	set_paths(early, 1);
	set_paths(late, 2);
	dctload_submit_read(e, early, BATCH_SIZE, NULL);
	dctload_submit_read(e, late, BATCH_SIZE, NULL);
	dctload_free_batch(early);
	dctload_free_engine(e);
	dctload_free_batch(late);
}

struct waiter {
	struct dctload_engine *e;
	struct dctload_batch *b;
	pthread_t thread;
};

static void *
wait_for_batch(void *arg)
{
	const struct waiter *w = arg;

	check(dctload_wait(w->e, w->b, -1) == 0, "waiting");
	return NULL;
}

/* The memory goes when nobody waits any more. */
static void
stop_round(uint32_t num_threads)
{
	struct dctload_engine *e = dctload_alloc_engine(num_threads);
	struct waiter waiters[2];

	for (uint32_t i = 0; i < 2; i++) {
		struct waiter *w = &waiters[i];

		*w = (struct waiter){ .e = e,
				      .b = dctload_alloc_batch(BATCH_SIZE) };
		set_paths(w->b, i);
		dctload_submit_read(e, w->b, BATCH_SIZE, NULL);
		pthread_create(&w->thread, NULL, wait_for_batch, w);
	}
	dctload_stop_engine(e);
	dctload_stop_engine(e);
	for (uint32_t i = 0; i < 2; i++)
		pthread_join(waiters[i].thread, NULL);
	check(dctload_submit_read(e, waiters[0].b, BATCH_SIZE, NULL) ==
		      DCTLOAD_BAD_ARGUMENT,
	      "submitting to a stopped engine");
	for (uint32_t i = 0; i < 2; i++)
		dctload_free_batch(waiters[i].b);
	dctload_free_engine(e);
}

int
main(int argc, char **argv)
{
	struct dctload_decoder *d = dctload_alloc_decoder();

	check(argc > 1 && d != NULL, "arguments");
	files = argv + 1;
	num_files = (uint32_t)argc - 1;
	for (uint32_t num_threads = 0; num_threads <= 4; num_threads += 2) {
		struct dctload_engine *e = dctload_alloc_engine(num_threads);

		for (uint32_t round = 0; round < NUM_ROUNDS; round++) {
			decode_round(e, d, round);
			sample_round(e);
			load_round(e);
			abandon_round(num_threads);
			stop_round(num_threads);
		}
		dctload_free_engine(e);
	}
	dctload_free_decoder(d);
	puts("ok");
	return 0;
}
