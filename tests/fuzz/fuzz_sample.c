/* SPDX-License-Identifier: MIT */
/*
 * fuzz_sample.c - file to tensor, rows passed on as they are decoded
 *
 * Proves: no access outside input and tensors whatever the file's geometry and
 * the crop are; every byte written; the same bits as decoding whole planes and
 * transforming them.  With every subset of CPU features the same but for rounding,
 * and a type's values are those of float32, cast.  The end of the input chooses
 * crop, sizes, layout and type.
 */

#include <math.h>

#include "../../csrc/cpu.h"
#include "../../csrc/dct/emit.h"
#include "fuzz.h"

#define NUM_CHOICES 12

/* Beside the planes of set 0: tensors. */
#define SLOT(i) (GUARD_PLANES + DCTLOAD_MAX_COMPONENTS + (i))

/* One step that takes a part of the axis to 'out_size' samples. */
static void
make_step(const u8 choice[3], u32 size, u32 out_size, struct dctload_step *step)
{
	const double lo = choice[0] / 256.0 * size;
	const double length = (choice[1] + 1) / 256.0 * (size - lo);

	step->lo = lo;
	step->hi = lo + length;
	step->step = length / out_size;
	step->start = lo + step->step / 2 - 0.5;
	if (choice[2] & 1) { /* a mirror */
		step->start += step->step * (out_size - 1);
		step->step = -step->step;
	}
	step->out_size = out_size;
	step->filter = choice[2] >> 1 & 3;
}

static void
make_output(const u8 choice[4], struct dctload_output *output)
{
	memset(output, 0, sizeof(*output));
	output->width = 16u * (1 + (choice[0] & 3));
	output->height = 16u * (1 + (choice[0] >> 2 & 3));
	output->layout = choice[0] >> 4 & 1;
	output->channels_last = choice[0] >> 5 & 1;
	output->dtype = choice[1] % 5;
	for (u32 c = 0; c < 3; c++) {
		const u32 n = 1 + 7u * (choice[2] >> (2 * c) & 3);

		output->num_freqs[c] = n;
		for (u32 j = 0; j < n; j++) {
			output->freqs[c][j] = (u8)(j + (choice[3] & 31));
			output->scale[c][j] = 0.25f;
		}
	}
}

static void
make_geometry(const u8 choice[6], const struct dctload_info *info,
	      const struct dctload_output *output, struct dctload_geometry *g)
{
	memset(g, 0, sizeof(*g));
	g->transpose = choice[5] >> 7;
	g->num_x = g->num_y = 1;
	make_step(choice, g->transpose ? info->height : info->width,
		  output->width, &g->x[0]);
	make_step(choice + 3, g->transpose ? info->width : info->height,
		  output->height, &g->y[0]);
}

/* Straight from the file to 'out', as the loader does. */
static enum dctload_status
sample(const u8 *in, size_t in_nbytes, const struct dctload_geometry *geometry,
       const struct dctload_output *output, void *const out[2])
{
	static struct dctload_engine *engine;
	struct dctload_batch *const batch = dctload_alloc_batch(1);
	struct dctload_limits limits;
	enum dctload_status status;
	struct dctload_item *item;

	if (engine == NULL)
		engine = dctload_alloc_engine(0);
	REQUIRE(engine != NULL && batch != NULL);
	fuzz_limits(&limits);
	item = dctload_batch_items(batch);
	item->in = in;
	item->in_nbytes = in_nbytes;
	REQUIRE(dctload_submit_read(engine, batch, 1, &limits) == 0);
	REQUIRE(dctload_wait(engine, batch, -1) == 0);
	item->geometry = *geometry;
	item->out[0] = out[0];
	item->out[1] = out[1];
	REQUIRE(dctload_submit_sample(engine, batch, 1, &limits, 0, output) ==
		0);
	REQUIRE(dctload_wait(engine, batch, -1) == 0);
	status = item->status;
	dctload_free_batch(batch);
	return status;
}

/* The largest amplitude of the planes. */
static double
largest_amplitude(const struct outcome *o)
{
	s32 largest = 0;

	for (u32 c = 0; c < o->info.num_components; c++) {
		const u16 *const q = o->info.qtables[c];
		const size_t n = plane_nbytes(&o->info, c) / sizeof(s16);

		for (size_t i = 0; i < n; i++) {
			const s32 x = o->planes[c][i] * (s32)q[i % BLOCK_COEFS];

			largest = abs(x) > largest ? abs(x) : largest;
		}
	}
	return largest;
}

/* 'got' is what casting 'values' gives, bit for bit. */
static void
require_cast(const float *values, const void *got, size_t nbytes, u32 dtype)
{
	struct emission e = { .dtype = dtype,
			      .out = guard_alloc(SLOT(8), nbytes) };

	for (size_t i = 0; i < nbytes / dtype_nbytes(dtype); i++)
		emission_put(&e, i, values[i]);
	REQUIRE(nbytes == 0 || memcmp(e.out, got, nbytes) == 0);
}

static void
require_near(const float *a, const float *b, size_t nbytes, double error)
{
	for (size_t i = 0; i < nbytes / sizeof(*a); i++)
		REQUIRE(fabs((double)a[i] - b[i]) <= error);
}

/* The portable code comes first. */
static void
require_near_variants(struct dctload_decoder *decoder, const struct outcome *o,
		      const struct dctload_geometry *geometry,
		      const struct dctload_output *output)
{
	static const u32 masks[] = {
		0, CPU_BMI2 | CPU_AVX2 | CPU_FMA | CPU_F16C, ~0u
	};
	const s16 *const *const planes = (const s16 *const *)o->planes;
	/* 64 products a sum, at most this large. */
	const double error = ldexp(largest_amplitude(o), -16) + 1e-6;
	struct dctload_output floats = *output;
	size_t nbytes[2], nbytes_floats[2];
	void *out[2], *values[2], *first[2];

	floats.dtype = DCTLOAD_F32;
	dctload_output_nbytes(output, nbytes);
	dctload_output_nbytes(&floats, nbytes_floats);
	for (u32 i = 0; i < 2; i++) {
		out[i] = guard_alloc(SLOT(i), nbytes[i]);
		first[i] = guard_alloc(SLOT(4 + i), nbytes_floats[i]);
		values[i] = guard_alloc(SLOT(6 + i), nbytes_floats[i]);
	}
	for (u32 m = 0; m < ARRAY_LEN(masks); m++) {
		void **const to = m == 0 ? first : values;

		cpu_set_mask_for_tests(masks[m]);
		REQUIRE(dctload_transform(decoder, &o->info, planes, geometry,
					  output, out) == DCTLOAD_OK);
		REQUIRE(dctload_transform(decoder, &o->info, planes, geometry,
					  &floats, to) == DCTLOAD_OK);
		for (u32 i = 0; i < 2; i++) {
			require_cast(to[i], out[i], nbytes[i], output->dtype);
			require_near(first[i], to[i], nbytes_floats[i], error);
		}
	}
	cpu_set_mask_for_tests(~0u);
}

int
LLVMFuzzerTestOneInput(const u8 *in, size_t in_nbytes)
{
	static struct dctload_decoder *decoder;
	struct dctload_geometry geometry;
	struct dctload_output output;
	enum dctload_status status;
	struct outcome o;
	void *got[2], *want[2];
	size_t nbytes[2];
	const u8 *choice;

	if (in_nbytes < NUM_CHOICES)
		return 0;
	if (decoder == NULL)
		decoder = dctload_alloc_decoder();
	REQUIRE(decoder != NULL);
	choice = in + in_nbytes - NUM_CHOICES;
	in = guard_copy(GUARD_IN, in, in_nbytes);
	fuzz_decode(in, in_nbytes, 0, 0, &o);
	if (o.info.num_components == 0 || o.info.h_max == 0 ||
	    o.planes[0] == NULL)
		return 0;

	make_output(choice, &output);
	make_geometry(choice + 4, &o.info, &output, &geometry);
	dctload_output_nbytes(&output, nbytes);
	for (u32 i = 0; i < 2; i++) {
		got[i] = guard_alloc(SLOT(2 * i), nbytes[i]);
		want[i] = guard_alloc(SLOT(2 * i + 1), nbytes[i]);
	}
	status = sample(in, in_nbytes, &geometry, &output, got);
	if (o.status == DCTLOAD_OK) {
		REQUIRE(status ==
			dctload_transform(decoder, &o.info,
					  (const s16 *const *)o.planes,
					  &geometry, &output, want));
	}
	if (status != DCTLOAD_OK)
		return 0;
	for (u32 i = 0; i < 2; i++) {
		touch(got[i], nbytes[i]);
		/* Damage below the last row needed is not met. */
		REQUIRE(nbytes[i] == 0 || o.status != DCTLOAD_OK ||
			memcmp(got[i], want[i], nbytes[i]) == 0);
	}
	if (o.status == DCTLOAD_OK)
		require_near_variants(decoder, &o, &geometry, &output);
	return 0;
}
