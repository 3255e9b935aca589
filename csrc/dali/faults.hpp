/* SPDX-License-Identifier: MIT */
/* faults.hpp - what becomes of a file that cannot be decoded */
#ifndef DCTLOAD_DALI_FAULTS_HPP
#define DCTLOAD_DALI_FAULTS_HPP

#include <cstddef>
#include <string>

#include "core.hpp"

namespace dctload
{

enum class OnError { RAISE, ZERO };

/* Throws std::invalid_argument. */
OnError parse_on_error(const std::string &text);

/* "NAME: TEXT at byte OFFSET of NBYTES", as Python's exceptions have it. */
std::string fault_message(const std::string &name, const dctload_item &item);

/*
 * Count a file that was replaced by zeroes, and remember it.  Returns whether it
 * should be warned of: each file once, and only the first few files, for a data
 * set may hold thousands.
 */
bool count_fault(const std::string &name, const std::string &message);

/* How often count_fault() was called; for any thread. */
std::size_t num_faults(void);

/*
 * The messages of the files counted, each once and at most 1,000, each followed
 * by a zero byte.  Returns the bytes needed; writes them if 'capacity' suffices.
 */
std::size_t list_faults(char *out, std::size_t capacity);

} /* namespace dctload */

#endif /* DCTLOAD_DALI_FAULTS_HPP */
