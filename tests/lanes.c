/* SPDX-License-Identifier: MIT */
/*
 * lanes.c - images come and go, and each is decoded as if it were alone
 *
 *   lanes ROUNDS FILE...
 *
 * How many images are open at a time changes at random between one and more than
 * there are lanes, so that the decoder goes from vectors to scalar lanes and back
 * in the middle of images.  Prints "ok" or what differs.
 */
#include <stdio.h>
#include <stdlib.h>

#include "jpeg/decoder.h"

#define MAX_OPEN 20

struct file {
	struct jpeg_job job;
	struct dctload_info info;
	u8 *in;
	s16 *planes[DCTLOAD_MAX_COMPONENTS], *want, *got;
	size_t nbytes;
};

static struct file *files;
static u32 num_files, next_file, num_open, max_open, num_begun;
static u64 state = 88172645463325252u;

/* xorshift64 */
static u32
random_below(u32 n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (u32)((state >> 33) % n);
}

static void
fail(const char *what, const struct file *f)
{
	printf("file %d: %s (status %d)\n", (int)(f - files), what,
	       (int)f->job.status);
	exit(1);
}

static void
place_planes(struct file *f, s16 *memory)
{
	for (u32 c = 0; c < f->info.num_components; c++) {
		f->planes[c] = memory;
		memory += (size_t)f->info.components[c].blocks_w *
			  f->info.components[c].blocks_h * BLOCK_COEFS;
	}
	f->nbytes = (size_t)(memory - f->planes[0]) * sizeof(s16);
}

static void
load(struct file *f, const char *path, struct dctload_decoder *d)
{
	FILE *const in = fopen(path, "rb");
	struct dctload_info *const info = &f->info;
	size_t nbytes;

	f->in = malloc(1 << 22);
	nbytes = in != NULL ? fread(f->in, 1, 1 << 22, in) : 0;
	if (nbytes == 0 ||
	    dctload_read_info(f->in, nbytes, NULL, info, NULL) != DCTLOAD_OK)
		fail(path, f);
	fclose(in);
	f->job.in = f->in;
	f->job.in_nbytes = nbytes;
	place_planes(f, NULL);
	f->want = malloc(f->nbytes);
	f->got = malloc(f->nbytes);
	place_planes(f, f->want);
	if (dctload_decode(d, f->in, nbytes, NULL, 0, f->planes, info, NULL) !=
	    DCTLOAD_OK)
		fail("alone", f);
	place_planes(f, f->got);
	f->job.planes = f->planes;
	f->job.info = info;
}

static struct jpeg_job *
next_job(void *ctx)
{
	struct file *f;

	(void)ctx;
	if (num_begun == 0 || num_open >= max_open)
		return NULL;
	if (random_below(30) == 0)
		max_open = 1 + random_below(MAX_OPEN) / (1 + random_below(4));
	/* One at a time: a file that is open has its planes in use. */
	for (u32 i = 0; i < num_files; i++) {
		f = &files[next_file++ % num_files];
		if (f->job.limits != NULL)
			continue;
		f->job.limits = ctx; /* a mark; the defaults */
		memset(f->got, 0xAB, f->nbytes);
		num_begun--;
		num_open++;
		return &f->job;
	}
	return NULL;
}

static void
job_done(void *ctx, struct jpeg_job *job)
{
	struct file *const f = (struct file *)(void *)job;

	(void)ctx;
	num_open--;
	job->limits = NULL;
	if (job->status != DCTLOAD_OK)
		fail("in company", f);
	if (memcmp(f->want, f->got, f->nbytes) != 0)
		fail("coefficients differ", f);
}

int
main(int argc, char **argv)
{
	struct dctload_decoder *const d = dctload_alloc_decoder();
	struct dctload_limits limits;

	dctload_default_limits(&limits);
	num_files = (u32)argc - 2;
	files = calloc(num_files, sizeof(*files));
	for (u32 i = 0; i < num_files; i++)
		load(&files[i], argv[i + 2], d);
	num_begun = (u32)atoi(argv[1]) * num_files;
	max_open = 1;
	while (num_begun != 0)
		jpeg_run(d, next_job, job_done, &limits);
	puts("ok");
	return 0;
}
