/* SPDX-License-Identifier: MIT */
/*
 * axis_template.h - weights and operators of an axis, to be compiled for one kind of
 * CPU as a part of kernels_template.h
 *
 * A sample has four axes of its own, each of some hundred rows: these are built
 * without a branch that depends on the row.
 */

typedef float vec16 __attribute__((vector_size(64)));
typedef float vec8 __attribute__((vector_size(32)));
typedef s32 vec8i __attribute__((vector_size(32)));
typedef s32 vec16i __attribute__((vector_size(64)));

/* ---- weights ----------------------------------------------------------- */

/* Rows whose filters are found at a time, in vectors of 16: latencies overlap. */
#define FOUND_ROWS 64

/* Of each: 'num' samples from 'first' on, that one 'x' from the filter's centre. */
struct triangles {
	s32 first[FOUND_ROWS], num[FOUND_ROWS];
	float x[FOUND_ROWS], scale[FOUND_ROWS];
};

static ALWAYS_INLINE double
clamp(double x, double lo, double hi)
{
	x = x < hi ? x : hi;
	return x > lo ? x : lo;
}

/* The whole number up to 'x', which is less than 2^31. */
static ALWAYS_INLINE s32
floor_s32(double x)
{
	const s32 i = (s32)x;

	return i - (x < i);
}

/* At 'at', the windows of 16 rows from 'j' on, as step_window() has them. */
static KERNEL ALWAYS_INLINE void
triangles_find(struct triangles *t, u32 at, const struct comp_step *cs, u32 j)
{
	const double lo = (double)cs->lo, hi = (double)cs->hi;
	const double start = cs->start, step = cs->step, inv = cs->inv;
	const double support = cs->support;
	s32 *const first = t->first + at, *const num = t->num + at;
	float *const x = t->x + at;

	for (s32 k = 0; k < 16; k++) {
		const double centre = start + step * ((s32)j + k + 0.5);
		/* Clamped first, as a whole number must be small. */
		const s32 a =
			-floor_s32(clamp(-(centre - support - 0.5), -hi, -lo));
		const s32 b = 1 + floor_s32(clamp(centre + support - 0.5,
						  lo - 1, hi - 1));

		first[k] = a;
		num[k] = b > a ? b - a : 0;
		x[k] = (float)((a + 0.5 - centre) * inv);
	}
}

/*
 * max(0, 1 - |x|), and zero where 'k' is not negative.  Signs are spread over their
 * lanes, as compilers make a lot of comparing.
 */
#define TRIANGLE(vec, veci, x, k)                                   \
	((vec)((veci)(1 - (vec)((veci)(x) & 0x7FFFFFFF)) &          \
	       ~((veci)(1 - (vec)((veci)(x) & 0x7FFFFFFF)) >> 31) & \
	       ((k) >> 31)))

/* The sums of weights; zeros at the ends of rows, and rows of too little, go. */
static KERNEL ALWAYS_INLINE void
triangles_sum(struct triangles *t, u32 at, const struct comp_step *cs, u32 room)
{
	const float dx = (float)cs->inv,
		    least = (float)(MIN_WEIGHT * cs->stretch);
	vec16 sum = { 0 }, x, last, scale;
	vec16i num, first, skip, drop, enough;

	memcpy(&x, t->x + at, sizeof(x));
	memcpy(&num, t->num + at, sizeof(num));
	memcpy(&first, t->first + at, sizeof(first));
	for (s32 k = 0; k < (s32)room; k++)
		sum += TRIANGLE(vec16, vec16i, x + dx * (float)k, k - num);
	last = x + dx * __builtin_convertvector(num - 1, vec16);
	skip = TRIANGLE(vec16, vec16i, x, -num) == 0;
	drop = TRIANGLE(vec16, vec16i, last, -num) == 0;
	enough = sum >= least;
	scale = (vec16)((vec16i)(1 / sum) & enough);
	x -= dx * __builtin_convertvector(skip, vec16);
	first = (first - skip) & enough;
	num = (num + skip + drop) & enough;
	memcpy(t->scale + at, &scale, sizeof(scale));
	memcpy(t->x + at, &x, sizeof(x));
	memcpy(t->first + at, &first, sizeof(first));
	memcpy(t->num + at, &num, sizeof(num));
}

/* The weights of row 'r' of those that were found. */
static KERNEL ALWAYS_INLINE void
triangle_row(float *w, const struct triangles *t, u32 r, float dx, u32 room)
{
	const vec8i iota = { 0, 1, 2, 3, 4, 5, 6, 7 };

	for (u32 k = 0; k < room; k += 8) {
		const vec8i index = iota + (s32)k;
		vec8 weights;

		weights = TRIANGLE(
			vec8, vec8i,
			t->x[r] + dx * __builtin_convertvector(index, vec8),
			index - t->num[r]);
		weights *= t->scale[r];
		memcpy(w + k, &weights, sizeof(weights));
	}
}

/* Lanes are rows, to find where each filter is; then they are its samples. */
static KERNEL void
triangle_rows(struct taps *t, const struct comp_step *cs, u32 room)
{
	const size_t stride = (room + 7) / 8 * 8;
	const float dx = (float)cs->inv;
	float *w = t->weights;

	for (u32 j = 0; j < cs->out_size; j += FOUND_ROWS) {
		const u32 num_rows = min_u32(FOUND_ROWS, cs->out_size - j);
		struct triangles tri;

		for (u32 r = 0; r < num_rows; r += 16) {
			triangles_find(&tri, r, cs, j + r);
			triangles_sum(&tri, r, cs, room);
		}
		memcpy(t->first + j, tri.first, num_rows * sizeof(u32));
		memcpy(t->num + j, tri.num, num_rows * sizeof(u32));
		if (stride == 8)
			for (u32 r = 0; r < num_rows; r++, w += 8)
				triangle_row(w, &tri, r, dx, 8);
		else
			for (u32 r = 0; r < num_rows; r++, w += stride)
				triangle_row(w, &tri, r, dx, room);
	}
}

/* ---- operators --------------------------------------------------------- */

/* sum_k w[k] D^T[first + k], in two blocks, for k < num <= 8. */
static KERNEL ALWAYS_INLINE void
two_blocks(vec16 *m, const float *w, u32 first, u32 num)
{
	*m = (vec16){ 0 };
	for (u32 k = 0; k < num; k++) {
		vec16 row;

		memcpy(&row, dct_matrix_twice[first + k], sizeof(row));
		*m += row * w[k];
	}
}

/* Rows of any number of taps: as often two blocks, each over the last. */
static KERNEL NOINLINE void
fill_long_rows(struct axis_op *op, const struct taps *t, size_t *next)
{
	for (u32 r = 0; r < 8 * op->num_out; r++) {
		const u32 row = min_u32(r, t->num_rows - 1);
		const u32 num = t->num[row], s = t->first[row];
		const u32 num_blocks = num == 0 ? 0 : (s % 8 + num + 7) / 8;
		const float *const w = t->weights + t->at[row];
		vec8 left = { 0 };

		for (u32 k = 0; k < num_blocks; k++) {
			const size_t at = next[2 * (s / 8 + k) + (k > 0)]++;
			vec8 halves[2] = { { 0 } };

			if (8 * k < num) {
				vec16 m;

				two_blocks(&m, w + 8 * k, s % 8, 8);
				memcpy(halves, &m, sizeof(halves));
			}
			left += halves[0];
			op->rows[at] = r;
			memcpy(op->coefs[at], &left, sizeof(left));
			left = halves[1];
		}
	}
}

/* Rows of at most 'max_num' taps, which is a constant where this is used. */
static KERNEL ALWAYS_INLINE void
fill_short_rows(struct axis_op *op, const struct taps *t, size_t *next,
		u32 max_num)
{
	/* In locals, as the compiler thinks that a store may change them. */
	const u32 last = t->num_rows - 1, num_in = op->num_in;
	const u32 num_rows = 8 * op->num_out;
	const u32 *const nums = t->num, *const firsts = t->first;
	const size_t *const ats = t->at;
	const float *const weights = t->weights;
	float (*const coefs)[8] = op->coefs;
	u32 *const rows = op->rows;

	for (u32 r = 0; r < num_rows; r++) {
		const u32 row = min_u32(r, last);
		const u32 num = nums[row], s = firsts[row], j = s / 8;
		/* What is not needed goes behind the last column. */
		const u32 both = (s % 8 + num - 1) / 8;
		const u32 beyond = num_in - ((num_in - j - 1) & -both);
		vec8 halves[2];
		vec16 m;
		size_t at;

		if (num == 0)
			continue;
		two_blocks(&m, weights + ats[row], s % 8, max_num);
		memcpy(halves, &m, sizeof(halves));
		at = next[2 * j]++;
		rows[at] = r;
		memcpy(coefs[at], &halves[0], sizeof(halves[0]));
		at = next[2 * beyond + 1];
		next[2 * beyond + 1] = at + both;
		rows[at] = r;
		memcpy(coefs[at], &halves[1], sizeof(halves[1]));
	}
}

static KERNEL void
fill_rows(struct axis_op *op, const struct taps *t, size_t *next)
{
	u32 max_num = 0;

	for (u32 r = 0; r < t->num_rows; r++)
		max_num = max_u32(max_num, t->num[r]);
	if (max_num <= 3)
		fill_short_rows(op, t, next, 3);
	else if (max_num <= 6)
		fill_short_rows(op, t, next, 6);
	else if (max_num <= 8)
		fill_short_rows(op, t, next, 8);
	else
		fill_long_rows(op, t, next);
}
