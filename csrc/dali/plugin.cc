/* SPDX-License-Identifier: MIT */
/*
 * plugin.cc - the plugin as one file, and how it is bound to the C core
 *
 * It includes the others, for DALI's headers take three seconds a time.
 */
#include "arguments.cc"
#include "decode.cc"
#include "decode_raw.cc"
#include "emission.cc"
#include "faults.cc"
#include "files.cc"
#include "geometry.cc"
#include "peek_shape.cc"

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace dctload
{

Core core;

} /* namespace dctload */

/* What dctload_dali_bind() wants the addresses of, in order. */
#define DCTLOAD_DALI_NAME(name) "dctload_" #name " "
EXPORT const char dctload_dali_functions[];
const char dctload_dali_functions[] = DCTLOAD_DALI_FUNCTIONS(DCTLOAD_DALI_NAME);

/* Sizes by which a core that was built from another header is told. */
EXPORT const char dctload_dali_structs[];
const char dctload_dali_structs[] =
	"dctload_limits dctload_info dctload_geometry dctload_output "
	"dctload_item";
EXPORT const size_t dctload_dali_struct_nbytes[];
const size_t dctload_dali_struct_nbytes[] = {
	sizeof(dctload_limits), sizeof(dctload_info), sizeof(dctload_geometry),
	sizeof(dctload_output), sizeof(dctload_item),
};

EXPORT void
dctload_dali_bind(void *const *functions)
{
	static_assert(sizeof(void (*)(void)) == sizeof(void *));
	std::memcpy(&dctload::core, functions, sizeof(dctload::core));
}

EXPORT size_t
dctload_dali_num_faults(void)
{
	return dctload::num_faults();
}

EXPORT size_t
dctload_dali_list_faults(char *out, size_t capacity)
{
	return dctload::list_faults(out, capacity);
}
