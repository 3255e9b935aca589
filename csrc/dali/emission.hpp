/* SPDX-License-Identifier: MIT */
/* emission.hpp - frequencies and statistics, to struct dctload_output */
#ifndef DCTLOAD_DALI_EMISSION_HPP
#define DCTLOAD_DALI_EMISSION_HPP

#include <array>
#include <string>
#include <vector>

#include "core.hpp"

namespace dctload
{

/* Natural indices of Y, Cb and Cr, ascending. */
using Subset = std::array<std::vector<uint8_t>, 3>;

/*
 * The subset of a published name ("24"), or of three lists as Python writes them:
 * "([0, 1, 8], [0], [0])".  Throws std::invalid_argument.
 */
Subset parse_frequencies(const std::string &text);

/* Of each of 192 channels: Y, Cb, Cr times natural index. */
struct Scaling {
	std::vector<float> scale, offset;
};

/*
 * The scaling of a preset's statistics for a layout and size, chosen among its
 * entries as transforms.Normalize does.  Throws std::invalid_argument.
 */
Scaling preset_scaling(const std::string &name, const std::string &layout,
		       uint32_t shorter_side);

/*
 * The same of statistics given as numbers: 192, or one for each channel of
 * 'subset' in turn.  Throws std::invalid_argument.
 */
Scaling statistics_scaling(const std::vector<float> &mean,
			   const std::vector<float> &std, const Subset &subset);

/* Numbers as they are, likewise; one vector may be empty. */
Scaling given_scaling(const std::vector<float> &scale,
		      const std::vector<float> &offset, const Subset &subset);

/* Sets frequencies, scale and offset. */
void fill_channels(dctload_output *output, const Subset &subset,
		   const Scaling &scaling);

} /* namespace dctload */

#endif /* DCTLOAD_DALI_EMISSION_HPP */
