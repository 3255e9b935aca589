/* SPDX-License-Identifier: MIT */
/*
 * fuzz_lanes.c - many files open at once, in vectors and out of them
 *
 * Proves: whatever is decoded beside it, and whenever lanes end, fail and are
 * filled again, a file's status, offset, info and coefficients are those of the
 * portable code that has the file for itself.
 *
 * The input is cut into files where a new one begins; more are made here, that are
 * good and have one, two or four pairs of tables.  The input's last bytes choose
 * what is open together with what, so that a change elsewhere leaves that alone.
 */

#include "../../csrc/cpu.h"
#include "../../csrc/jpeg/decoder.h"
#include "../../csrc/jpeg/markers.h"
#include "../../csrc/jpeg/x86/scan_vectors_impl.h"
#include "fuzz.h"

#include <sys/mman.h>

#define MAX_FILES 4 /* of the input */

/* ---- choices ----------------------------------------------------------- */

/* splitmix64 */
static u64
draw(u64 *state)
{
	u64 x = *state += 0x9E3779B97F4A7C15u;

	x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
	x = (x ^ x >> 27) * 0x94D049BB133111EBu;
	return x ^ x >> 31;
}

/* One of 0 .. n - 1. */
static u32
draw_below(u64 *state, u32 n)
{
	return (u32)((draw(state) >> 32) * n >> 32);
}

/* ---- good files -------------------------------------------------------- */

#define MADE_CAPACITY 8192

struct writer {
	u8 *out;
	size_t nbytes;
	u64 bits;
	u32 num_bits;
};

static void
put_byte(struct writer *w, u32 byte)
{
	REQUIRE(w->nbytes < MADE_CAPACITY);
	w->out[w->nbytes++] = (u8)byte;
}

static void
put_bytes(struct writer *w, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		put_byte(w, (u8)bytes[i]);
}
#define PUT(w, literal) put_bytes(w, literal, sizeof(literal) - 1)

static void
put_bits(struct writer *w, u32 value, u32 n)
{
	w->bits = w->bits << n | value;
	for (w->num_bits += n; w->num_bits >= 8; w->num_bits -= 8) {
		const u32 byte = (u8)(w->bits >> (w->num_bits - 8));

		put_byte(w, byte);
		if (byte == 0xFF)
			put_byte(w, 0);
	}
}

/*
 * Pair 'slot' of tables, each in an order of its own.  Where the AC codes have 12
 * bits, no table of runs holds them.
 */
#define NUM_DC_SYMBOLS 12
#define NUM_AC_SYMBOLS 26
#define AC_CODE_NBITS(slot) ((slot) % 2 == 0 ? 5u : 12u)

static u32
dc_symbol(u32 slot, u32 code)
{
	return (code + slot) % NUM_DC_SYMBOLS;
}

/* EOB, ZRL, then runs of 0 to 3 before sizes of 1 to 6. */
static u32
ac_symbol(u32 slot, u32 code)
{
	const u32 i = (code + slot) % NUM_AC_SYMBOLS;

	return i < 2 ? i * 0xF0 : (i - 2) / 6 << 4 | (1 + (i - 2) % 6);
}

static void
put_tables(struct writer *w, u32 slot)
{
	PUT(w, "\xFF\xC4\x00");
	put_byte(w, 2 + 2 * 17 + NUM_DC_SYMBOLS + NUM_AC_SYMBOLS);
	put_byte(w, slot);
	for (u32 nbits = 1; nbits <= MAX_CODE_BITS; nbits++)
		put_byte(w, nbits == 4 ? NUM_DC_SYMBOLS : 0);
	for (u32 code = 0; code < NUM_DC_SYMBOLS; code++)
		put_byte(w, dc_symbol(slot, code));
	put_byte(w, 0x10 | slot);
	for (u32 nbits = 1; nbits <= MAX_CODE_BITS; nbits++)
		put_byte(w, nbits == AC_CODE_NBITS(slot) ? NUM_AC_SYMBOLS : 0);
	for (u32 code = 0; code < NUM_AC_SYMBOLS; code++)
		put_byte(w, ac_symbol(slot, code));
}

static void
put_extra_bits(struct writer *w, u64 *state, u32 size)
{
	put_bits(w, draw_below(state, 1u << size), size);
}

static void
put_block(struct writer *w, u64 *state, u32 slot)
{
	const u32 wanted = draw_below(state, 12);
	u32 code = draw_below(state, NUM_DC_SYMBOLS), k = 1;

	/* Differences so small that they never add up to too much. */
	while (dc_symbol(slot, code) > 6)
		code = draw_below(state, NUM_DC_SYMBOLS);
	put_bits(w, code, 4);
	put_extra_bits(w, state, dc_symbol(slot, code));
	for (u32 i = 0; k < BLOCK_COEFS; i++) {
		u32 symbol;

		code = draw_below(state, NUM_AC_SYMBOLS);
		while (i >= wanted && ac_symbol(slot, code) != 0)
			code = (code + 1) % NUM_AC_SYMBOLS;
		symbol = ac_symbol(slot, code);
		if (symbol >> 4 >= BLOCK_COEFS - k)
			continue;
		put_bits(w, code, AC_CODE_NBITS(slot));
		put_extra_bits(w, state, symbol & 15);
		if (symbol == 0)
			break;
		k += (symbol >> 4) + 1;
	}
}

static u32
num_spare_bits(const struct writer *w)
{
	return (8 - w->num_bits) % 8;
}

/* A good file of up to eight by four blocks; returns its length. */
static size_t
make_file(u64 *state, u8 *out)
{
	static const u8 component_counts[] = { 1, 3, 4 };
	const u32 num_comps = component_counts[draw_below(state, 3)];
	const u32 width = 1 + draw_below(state, 8);
	const u32 height = 1 + draw_below(state, 4);
	/* Three components have two pairs of tables, as is usual, four have four. */
	const u32 last_slot = num_comps == 4 ? 3 : num_comps / 2;
	struct writer w = { .out = out };

	PUT(&w, "\xFF\xD8\xFF\xDB\x00\x43\x00");
	for (u32 i = 0; i < BLOCK_COEFS; i++)
		put_byte(&w, 1);
	for (u32 slot = 0; slot <= last_slot; slot++)
		put_tables(&w, slot);
	PUT(&w, "\xFF\xC1\x00");
	put_byte(&w, 8 + 3 * num_comps);
	PUT(&w, "\x08\x00");
	put_byte(&w, 8 * height);
	put_byte(&w, 0);
	put_byte(&w, 8 * width);
	put_byte(&w, num_comps);
	for (u32 c = 0; c < num_comps; c++) {
		put_byte(&w, c);
		PUT(&w, "\x11\x00");
	}
	PUT(&w, "\xFF\xDA\x00");
	put_byte(&w, 6 + 2 * num_comps);
	put_byte(&w, num_comps);
	for (u32 c = 0; c < num_comps; c++) {
		put_byte(&w, c);
		put_byte(&w, 0x11 * (c < last_slot ? c : last_slot));
	}
	PUT(&w, "\x00\x3F\x00");
	for (u32 i = 0; i < width * height; i++)
		for (u32 c = 0; c < num_comps; c++)
			put_block(&w, state, c < last_slot ? c : last_slot);
	/* Fill up the last byte with ones. */
	put_bits(&w, (1u << num_spare_bits(&w)) - 1, num_spare_bits(&w));
	PUT(&w, "\xFF\xD9");
	return w.nbytes;
}

/* ---- jobs -------------------------------------------------------------- */

/* One file to decode, alone and among others. */
struct task {
	const u8 *in;
	size_t in_nbytes;
	u32 flags;
	bool bypass_cache;
	bool good; /* known to be */
	struct dctload_region region;
	struct outcome want, got;
	struct jpeg_job job;
	bool done;
};

struct queue {
	struct task *tasks;
	u32 num_tasks, num_begun, num_done;
	u64 state;
};

/* Give out no job now and then, so that fewer are open for a while. */
static struct jpeg_job *
next_job(void *ctx)
{
	struct queue *const q = ctx;

	if (q->num_begun == q->num_tasks ||
	    (q->num_begun != q->num_done && draw_below(&q->state, 3) == 0))
		return NULL;
	return &q->tasks[q->num_begun++].job;
}

static void
job_done(void *ctx, struct jpeg_job *job)
{
	struct queue *const q = ctx;
	struct task *const task =
		(struct task *)(void *)((u8 *)job - offsetof(struct task, job));

	REQUIRE(task >= q->tasks && task < q->tasks + q->num_begun);
	REQUIRE(!task->done);
	task->done = true;
	q->num_done++;
}

static void
run_jobs(struct dctload_decoder *d, struct task *tasks, u32 num_tasks,
	 u64 state)
{
	struct queue q = { .tasks = tasks,
			   .num_tasks = num_tasks,
			   .state = state };

	while (q.num_done != num_tasks)
		jpeg_run(d, next_job, job_done, &q);
}

static void
lane_limits(struct dctload_limits *limits_ret)
{
	fuzz_limits(limits_ret);
	limits_ret->max_pixels = 1 << 15;
	limits_ret->max_scans = 20;
}

/* The job of 'task', into planes of 'set'. */
static void
set_job(struct task *task, const struct dctload_limits *limits, u32 set,
	struct outcome *o)
{
	struct dctload_info info;

	memset(o, 0, sizeof(*o));
	if (dctload_read_info(task->in, task->in_nbytes, limits, &info, NULL) ==
		    DCTLOAD_OK &&
	    dctload_window(&info, &task->region, &info) == DCTLOAD_OK)
		fuzz_planes(&info, set, o->planes);
	task->done = false;
	task->job = (struct jpeg_job){
		.in = task->in,
		.in_nbytes = task->in_nbytes,
		.limits = limits,
		.flags = task->flags,
		.planes = o->planes,
		.region = &task->region,
		.bypass_cache = task->bypass_cache,
		.info = &o->info,
	};
}

static void
take_results(const struct task *task, struct outcome *o)
{
	o->status = task->job.status;
	o->error_offset = task->job.error_offset;
	REQUIRE(dctload_status_text(o->status) != NULL);
	REQUIRE(o->error_offset <= task->in_nbytes);
}

/* A region of the image, or none. */
static void
draw_region(u64 *state, const u8 *in, size_t in_nbytes,
	    const struct dctload_limits *limits, struct dctload_region *r)
{
	struct dctload_info info;

	memset(r, 0, sizeof(*r));
	if (draw_below(state, 3) != 0 ||
	    dctload_read_info(in, in_nbytes, limits, &info, NULL) != DCTLOAD_OK)
		return;
	r->left = draw_below(state, info.width);
	r->top = draw_below(state, info.height);
	r->width = 1 + draw_below(state, info.width - r->left);
	r->height = 1 + draw_below(state, info.height - r->top);
}

/* Where the files in the input begin: at each SOI that a marker follows. */
static u32
cut_input(const u8 *in, size_t in_nbytes, size_t begins[MAX_FILES + 1])
{
	u32 n = 0;

	begins[n++] = 0;
	for (size_t i = 1; i + 2 < in_nbytes && n < MAX_FILES; i++)
		if (in[i] == 0xFF && in[i + 1] == 0xD8 && in[i + 2] == 0xFF)
			begins[n++] = i;
	begins[n] = in_nbytes;
	return n;
}

/* A file of the input, whole or a part of it, or one made here. */
static void
draw_task(u64 *state, const u8 *in, const size_t *begins, u32 num_files,
	  u32 slot, const struct dctload_limits *limits, struct task *task)
{
	static u8 made[MADE_CAPACITY];
	const u32 i = draw_below(state, num_files);
	const u8 *from = in + begins[i];

	task->in_nbytes = begins[i + 1] - begins[i];
	task->good = draw_below(state, 2) == 0;
	if (task->good) {
		from = made;
		task->in_nbytes = make_file(state, made);
	}
	if (task->in_nbytes != 0 && draw_below(state, 4) == 0) {
		task->in_nbytes -= draw_below(state, (u32)task->in_nbytes);
		task->good = false;
	}
	task->in = guard_copy(GUARD_JOBS_IN + slot, from, task->in_nbytes);
	task->flags = draw_below(state, 2) * DCTLOAD_ALLOW_TRUNCATED;
	task->bypass_cache = draw_below(state, 2) == 0;
	draw_region(state, task->in, task->in_nbytes, limits, &task->region);
}

/*
 * Of a block's address, vectors compare some bits only.  Put the block of idle
 * lanes where these are zero, which chance would do once in 65,536 decoders: the
 * linker has the core call this (run.py).
 */
int __real_posix_memalign(void **memory_ret, size_t alignment, size_t nbytes);
int __wrap_posix_memalign(void **memory_ret, size_t alignment, size_t nbytes);

int
__wrap_posix_memalign(void **memory_ret, size_t alignment, size_t nbytes)
{
	const size_t offset = offsetof(struct scan_vectors, idle_block);
	const size_t unit = (size_t)1 << 24;
	u8 *base;

	if (nbytes != sizeof(struct scan_vectors) ||
	    alignment != _Alignof(struct scan_vectors))
		return __real_posix_memalign(memory_ret, alignment, nbytes);
	base = mmap(NULL, 3 * unit, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	REQUIRE(base != MAP_FAILED);
	base += 2 * unit - (uintptr_t)base % unit;
	*memory_ret = base - offset;
	return 0;
}

/* A decoder that has the features in 'mask', and no other. */
static struct dctload_decoder *
decoder_with(u32 mask)
{
	struct dctload_decoder *d;

	cpu_set_mask_for_tests(mask);
	d = dctload_alloc_decoder();
	REQUIRE(d != NULL);
	return d;
}

int
LLVMFuzzerTestOneInput(const u8 *in, size_t in_nbytes)
{
	static const u32 masks[] = { 0, ~0u, ~(u32)CPU_AVX512 };
	static struct dctload_decoder *decoders[ARRAY_LEN(masks)];
	static struct task tasks[FUZZ_MAX_JOBS];
	struct dctload_limits limits;
	size_t begins[MAX_FILES + 1];
	const u32 num_files = cut_input(in, in_nbytes, begins);
	const size_t num_chosen = in_nbytes < 8 ? in_nbytes : 8;
	u64 state = 0;
	u32 num_tasks, which;

	for (u32 i = 0; i < ARRAY_LEN(masks); i++)
		if (decoders[i] == NULL)
			decoders[i] = decoder_with(masks[i]);
	if (num_chosen != 0)
		memcpy(&state, in + in_nbytes - num_chosen, num_chosen);
	num_tasks = 1 + draw_below(&state, FUZZ_MAX_JOBS);
	which = draw_below(&state, 4) == 0 ? 2 : 1;
	lane_limits(&limits);

	cpu_set_mask_for_tests(masks[0]);
	for (u32 i = 0; i < num_tasks; i++) {
		struct task *const task = &tasks[i];

		draw_task(&state, in, begins, num_files, i, &limits, task);
		set_job(task, &limits, i, &task->want);
		run_jobs(decoders[0], task, 1, 0);
		take_results(task, &task->want);
		REQUIRE(!task->good || task->want.status == DCTLOAD_OK);
	}
	cpu_set_mask_for_tests(masks[which]);
	for (u32 i = 0; i < num_tasks; i++)
		set_job(&tasks[i], &limits, num_tasks + i, &tasks[i].got);
	run_jobs(decoders[which], tasks, num_tasks, state);
	for (u32 i = 0; i < num_tasks; i++) {
		take_results(&tasks[i], &tasks[i].got);
		require_equal(&tasks[i].want, &tasks[i].got);
		touch_outcome(&tasks[i].got);
	}
	return 0;
}
