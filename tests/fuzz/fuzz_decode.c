/* SPDX-License-Identifier: MIT */
/*
 * fuzz_decode.c - dctload_decode() on anything
 *
 * Proves: no access outside input, planes and the decoder's own memory; a status
 * that the header lists; an offset inside the file; every coefficient written.
 * Others do not cover: truncated data being allowed; planes as one reuses them.
 */

#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const u8 *in, size_t in_nbytes)
{
	const u8 *const copy = guard_copy(GUARD_IN, in, in_nbytes);
	struct outcome strict, lenient;

	fuzz_decode(copy, in_nbytes, 0, 0, &strict);
	REQUIRE(strict.error_offset <= in_nbytes);
	REQUIRE(dctload_status_text(strict.status) != NULL);
	touch_outcome(&strict);

	fuzz_decode(copy, in_nbytes, DCTLOAD_ALLOW_TRUNCATED, 1, &lenient);
	REQUIRE(lenient.error_offset <= in_nbytes);
	touch_outcome(&lenient);

	/* What is whole does not change by allowing for what is not. */
	if (strict.status == DCTLOAD_OK)
		require_equal(&strict, &lenient);
	return 0;
}
