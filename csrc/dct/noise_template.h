/* SPDX-License-Identifier: MIT */
/*
 * noise_template.h - normal numbers from a counter, many at a time
 *
 * Included by pixel_template.h.  Pair n of a key is a hash of both, of which one
 * half is a number a in (0, 1] and the other an angle of b turns: Box and Muller's
 *
 *	sqrt(-2 ln a) (cos 2 pi b, sin 2 pi b)
 *
 * are two independent normal numbers.  So any of them can be had at once, and none
 * depends on what came before.  Polynomials are minimax, fitted to the
 * precision of floats.
 */

/* The finaliser of SplitMix64 (Steele, Lea, Flood; OOPSLA 2014). */
static KERNEL ALWAYS_INLINE void
mix64(half_u64 *z)
{
	*z = (*z ^ *z >> 30) * 0xBF58476D1CE4E5B9;
	*z = (*z ^ *z >> 27) * 0x94D049BB133111EB;
	*z ^= *z >> 31;
}

/*
 * -2 ln((k + 1) / 2^32).  From sqrt(1/2) on, 1 - a is what must be precise, and is
 * a whole number too.
 */
static KERNEL ALWAYS_INLINE vec
minus_two_log(uvec k)
{
	const ivec near = k >= 0xB504F334;
	const vec x = (to_float_u(k) + 1) * 0x1p-32f;
	/* x = 2^e (1 + f), with 1 + f from sqrt(1/2) to sqrt(2). */
	const ivec e = ((ivec)x - 0x3F3504F3) >> 23;
	const vec reduced = (vec)((ivec)x - e * (1 << 23)) - 1;
	const vec f = choose(near, to_float_u(~k) * -0x1p-32f, reduced);
	const vec exponent = keep(to_float(e), ~near);
	vec p = 0.0870043744f * f - 0.1426748782f;

	/* ln(1 + f) = f - f^2 / 2 + f^3 p(f) */
	p = p * f + 0.1491476745f;
	p = p * f - 0.1657758504f;
	p = p * f + 0.1996306330f;
	p = p * f - 0.2500133812f;
	p = p * f + 0.3333390952f;
	p = p * f - 0.5f;
	p = p * (f * f) + f;
	return -2 * (p + exponent * 0.6931471806f);
}

/* Cosine and sine of k / 2^32 turns. */
static KERNEL ALWAYS_INLINE void
turn(uvec k, vec *cosine, vec *sine)
{
	/* To the nearest quarter, and from there at most half a quarter on. */
	const uvec quarter = (k + (1u << 29)) >> 30;
	const vec t = to_float((ivec)(k - (quarter << 30))) * 0x1p-30f;
	const vec z = t * t;
	const ivec odd = (ivec)(quarter << 31) < 0;
	vec s = -0.0046021771f * z + 0.0796802267f;
	vec c = -0.0204083524f * z + 0.2535986304f;

	s = (s * z - 0.6459634900f) * z + 1.5707963705f;
	s *= t;
	c = (c * z - 1.2336970568f) * z + 1;
	*cosine = (vec)((uvec)choose(odd, s, c) ^ (quarter + 1) >> 1 << 31);
	*sine = (vec)((uvec)choose(odd, c, s) ^ quarter >> 1 << 31);
}

static KERNEL void
normals(float *out, const struct noise *noise, u64 first_pair, size_t num)
{
	const u64 step = 0x9E3779B97F4A7C15;
	const float mean = noise->mean, sigma = noise->sigma;
	half_u64 at[2];

	count_up(at, noise->key + first_pair * step, step);
	for (size_t x = 0; x < num; x += 2 * LANES) {
		half_u64 a = at[0], b = at[1];
		uvec upper, lower;
		vec r, cosine, sine, pairs[2];

		mix64(&a);
		mix64(&b);
		split(a, b, &upper, &lower);
		r = sigma * root(minus_two_log(upper));
		turn(lower, &cosine, &sine);
		interleave(r * cosine + mean, r * sine + mean, pairs);
		store(out + x, pairs[0]);
		store(out + x + LANES, pairs[1]);
		at[0] += LANES * step;
		at[1] += LANES * step;
	}
}
