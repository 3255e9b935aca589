/* SPDX-License-Identifier: MIT */
/*
 * lanes.c - files that share a decoder, in and out of its lanes at any time
 *
 *	lanes FILE.jpg ...
 *
 * Proves that a file's coefficients, or its error, do not depend on which other
 * files are open, and when those begin and end.  Files come in bursts and trickles,
 * so that a run is begun where one hot loop is used and ended where another is.
 * The same file is often open several times: lanes in step end their runs
 * together.  Samples come in between, and some fail in the middle of a run, which
 * leaves nothing to others.  Prints "ok" and exits 0, or tells what differs and
 * exits 1.
 *
 * To be linked with --wrap=plan_rows.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dct/plan.h"
#include "jpeg/decoder.h"
#include "jpeg/header.h"

#define MAX_FILES 256
#define MAX_OPEN 32
#define NUM_ROUNDS 200
#define JOBS_PER_ROUND 40

struct file {
	u8 *in;
	size_t in_nbytes;
	/* As decoded alone. */
	enum dctload_status status;
	size_t error_offset, nbytes;
	u8 *coefs;
};

struct open_file {
	struct jpeg_job job; /* first */
	struct file *file;
	struct dctload_info info;
	s16 *planes[DCTLOAD_MAX_COMPONENTS];
	u8 *coefs;
	struct dctload_geometry geometry; /* of a sample */
	void *out[2];
	bool taken;
};

static struct file files[MAX_FILES];
static u32 num_files;
static struct open_file open_files[MAX_OPEN];
static u64 random_state = 1;
/* Of a round: how many jobs are left, and how long none is there yet. */
static u32 jobs_left, pause, same;

static u32
draw(u32 n)
{
	random_state =
		random_state * 6364136223846793005u + 1442695040888963407u;
	return (u32)(random_state >> 33) % n;
}

static void
check(bool good, const char *what, const struct file *file)
{
	if (good)
		return;
	fprintf(stderr, "%s differs: file %d\n", what, (int)(file - files));
	exit(1);
}

static void
read_file(const char *path)
{
	struct file *const file = &files[num_files++];
	FILE *const stream = fopen(path, "rb");

	file->in = malloc(1 << 20);
	file->in_nbytes = fread(file->in, 1, 1 << 20, stream);
	fclose(stream);
}

/* Room for what 'file' holds, if its header can be read. */
static u8 *
alloc_coefs(struct file *file, s16 *planes[DCTLOAD_MAX_COMPONENTS])
{
	struct dctload_info info;
	void *memory = NULL;

	if (dctload_read_info(file->in, file->in_nbytes, NULL, &info, NULL) !=
	    DCTLOAD_OK)
		return NULL;
	file->nbytes = info_coefs_nbytes(&info);
	if (posix_memalign(&memory, 64, file->nbytes + 64) != 0)
		exit(1);
	info_place_planes(&info, memory, planes);
	return memory;
}

static void
decode_alone(struct file *file)
{
	struct dctload_decoder *const d = dctload_alloc_decoder();
	s16 *planes[DCTLOAD_MAX_COMPONENTS];

	file->coefs = alloc_coefs(file, planes);
	file->status = dctload_decode(d, file->in, file->in_nbytes, NULL, 0,
				      planes, NULL, &file->error_offset);
	dctload_free_decoder(d);
}

/* ---- samples --------------------------------------------------------------- */

/* All of an axis to 16 samples. */
static struct dctload_step
whole_axis(u32 size)
{
	return (struct dctload_step){
		.hi = size,
		.start = size / 32.0 - 0.5,
		.step = size / 16.0,
		.out_size = 16,
	};
}

static const struct dctload_output sample_output = {
	.width = 16,
	.height = 16,
	.layout = DCTLOAD_CONCAT,
	.num_freqs = { 1, 1, 1 },
};

/* Nobody looks at what comes out. */
static void
make_sample(struct open_file *o)
{
	static float out[3 * 2 * 2];
	struct dctload_info info;

	if (dctload_read_info(o->file->in, o->file->in_nbytes, NULL, &info,
			      NULL) != DCTLOAD_OK)
		return;
	o->geometry = (struct dctload_geometry){
		.num_x = 1,
		.num_y = 1,
		.x = { whole_axis(info.width) },
		.y = { whole_axis(info.height) },
	};
	o->out[0] = o->out[1] = out;
	o->job.planes = NULL;
	o->job.geometry = &o->geometry;
	o->job.output = &sample_output;
	o->job.out = o->out;
}

/* The first row of every second sample finds no memory. */
enum dctload_status
__real_plan_rows(struct plan *plan, u32 mcu_row, const struct block_grid *rows);
enum dctload_status
__wrap_plan_rows(struct plan *plan, u32 mcu_row, const struct block_grid *rows);

enum dctload_status
__wrap_plan_rows(struct plan *plan, u32 mcu_row, const struct block_grid *rows)
{
	if (mcu_row == 0 && draw(2) == 0)
		return DCTLOAD_NO_MEMORY;
	return __real_plan_rows(plan, mcu_row, rows);
}

/* ---- jobs ------------------------------------------------------------------ */

static struct jpeg_job *
next_job(void *ctx)
{
	struct open_file *o = open_files;

	(void)ctx;
	if (jobs_left == 0 || pause != 0) {
		pause -= pause != 0;
		return NULL;
	}
	jobs_left--;
	if (draw(3) == 0)
		pause = draw(2) == 0 ? draw(4) : draw(60);
	while (o->taken)
		o++;
	o->taken = true;
	o->file = &files[draw(2) == 0 ? same : draw(num_files)];
	o->coefs = alloc_coefs(o->file, o->planes);
	o->job = (struct jpeg_job){
		.in = o->file->in,
		.in_nbytes = o->file->in_nbytes,
		.planes = o->planes,
		.bypass_cache = draw(2) == 0,
		.info = &o->info,
	};
	if (draw(8) == 0)
		make_sample(o);
	return &o->job;
}

static void
job_done(void *ctx, struct jpeg_job *job)
{
	struct open_file *const o = (struct open_file *)(void *)job;

	(void)ctx;
	if (job->planes != NULL) {
		check(job->status == o->file->status, "status", o->file);
		check(job->error_offset == o->file->error_offset, "offset",
		      o->file);
	}
	if (job->planes != NULL && job->status == DCTLOAD_OK)
		check(memcmp(o->coefs, o->file->coefs, o->file->nbytes) == 0,
		      "data", o->file);
	free(o->coefs);
	o->taken = false;
}

int
main(int argc, char **argv)
{
	struct dctload_decoder *const d = dctload_alloc_decoder();

	for (int i = 1; i < argc && num_files < MAX_FILES; i++) {
		read_file(argv[i]);
		decode_alone(&files[num_files - 1]);
	}
	for (u32 round = 0; round < NUM_ROUNDS; round++) {
		same = draw(num_files);
		jobs_left = JOBS_PER_ROUND;
		/* It returns in a pause too, if nothing is open then. */
		while (jobs_left != 0)
			jpeg_run(d, next_job, job_done, NULL);
	}
	dctload_free_decoder(d);
	for (u32 i = 0; i < num_files; i++) {
		free(files[i].in);
		free(files[i].coefs);
	}
	puts("ok");
	return 0;
}
