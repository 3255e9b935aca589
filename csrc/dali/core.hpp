/* SPDX-License-Identifier: MIT */
/*
 * core.hpp - the C core, as the operators reach it
 *
 * The core is not compiled into the plugin: it is called through pointers that
 * dctload.dali takes from dctload._core when it loads the plugin.  So there is one
 * core in a process, of one compiler, and a pipeline's tensors equal those of
 * dctload.DataLoader bit for bit; and the plugin, which has to be compiled for
 * each version of DALI, takes seconds to compile and no sources of the core.
 */
#ifndef DCTLOAD_DALI_CORE_HPP
#define DCTLOAD_DALI_CORE_HPP

extern "C" {
#include "../dctload.h"
}

#define DCTLOAD_DALI_FUNCTIONS(X) \
	X(status_text)            \
	X(default_limits)         \
	X(read_info)              \
	X(output_nbytes)          \
	X(alloc_batch)            \
	X(free_batch)             \
	X(batch_items)            \
	X(alloc_worker)           \
	X(free_worker)            \
	X(begin_decode)           \
	X(begin_sample)           \
	X(work)

namespace dctload
{

struct Core {
#define DCTLOAD_DALI_MEMBER(name) decltype(&::dctload_##name) name;
	DCTLOAD_DALI_FUNCTIONS(DCTLOAD_DALI_MEMBER)
#undef DCTLOAD_DALI_MEMBER
};

/* All null until dctload_dali_bind(). */
extern Core core;

} /* namespace dctload */

#endif /* DCTLOAD_DALI_CORE_HPP */
