/* SPDX-License-Identifier: MIT */
/* emission.cc - frequencies and statistics, to struct dctload_output */
#include "emission.hpp"

#include <stdexcept>

namespace dctload
{

namespace
{

constexpr std::size_t BLOCK = 64, CHANNELS = 3 * BLOCK;

struct NamedSubset {
	const char *name, *lists;
};

struct Preset {
	const char *name, *layout; /* layout "": any */
	uint32_t min_size, max_size;
	double mean[CHANNELS], std[CHANNELS];
};

/*
 * SUBSETS and PRESETS, written by dctload/dali/_build.py when the plugin is
 * compiled: dctload/frequencies.py and the presets' files are the only place
 * where they stand.
 */
#include "tables.inc"

bool
is_open(char c)
{
	return c == '(' || c == '[';
}

bool
is_close(char c)
{
	return c == ')' || c == ']';
}

std::vector<uint8_t>
parse_list(const std::string &text)
{
	std::vector<uint8_t> out;
	std::size_t at = 0;

	while ((at = text.find_first_not_of(" ,", at)) != std::string::npos) {
		const std::size_t end = text.find_first_of(" ,", at);
		const std::string word = text.substr(at, end - at);

		if (word.size() > 2 ||
		    word.find_first_not_of("0123456789") != std::string::npos ||
		    std::stoul(word) >= BLOCK)
			throw std::invalid_argument(
				"frequencies are 0 to 63, got " + word);
		out.push_back(uint8_t(std::stoul(word)));
		if (out.size() > 1 && out[out.size() - 2] >= out.back())
			throw std::invalid_argument(
				"frequencies must ascend, got " + text);
		at = end;
	}
	return out;
}

/* The innermost brackets hold the numbers, whatever stands around them. */
std::vector<std::string>
innermost_lists(const std::string &text)
{
	std::vector<std::string> out;
	std::size_t open = std::string::npos;

	for (std::size_t i = 0; i < text.size(); i++) {
		if (is_open(text[i])) {
			open = i;
		} else if (is_close(text[i]) && open != std::string::npos) {
			out.push_back(text.substr(open + 1, i - open - 1));
			open = std::string::npos;
		}
	}
	return out;
}

/* As transforms' Format has it, in double precision until the end. */
void
scale_by(Scaling *scaling, std::size_t i, double mean, double std)
{
	scaling->scale[i] = float(1 / std);
	scaling->offset[i] = float(-mean / std);
}

/* 'values' of the channels kept, or of all, as those of all 192. */
std::vector<float>
spread(const char *what, const std::vector<float> &values, const Subset &subset,
       float otherwise)
{
	const std::size_t num =
		subset[0].size() + subset[1].size() + subset[2].size();
	std::vector<float> out(CHANNELS, otherwise);
	std::size_t at = 0;

	if (values.empty() || values.size() == CHANNELS)
		return values.empty() ? out : values;
	if (values.size() != num)
		throw std::invalid_argument(
			std::string(what) + " must have 192 values, or " +
			std::to_string(num) + " as there are channels; got " +
			std::to_string(values.size()));
	for (std::size_t c = 0; c < subset.size(); c++)
		for (const uint8_t f : subset[c])
			out[BLOCK * c + f] = values[at++];
	return out;
}

std::string
known_subsets(void)
{
	std::string out;

	for (const NamedSubset &named : SUBSETS)
		out += (out.empty() ? "" : ", ") + std::string(named.name);
	return out;
}

} /* namespace */

Subset
parse_frequencies(const std::string &text)
{
	std::string lists = text;
	Subset out;

	for (const NamedSubset &named : SUBSETS)
		if (text == named.name)
			lists = named.lists;
	const std::vector<std::string> parts = innermost_lists(lists);
	if (parts.empty())
		throw std::invalid_argument("no subset is called '" + text +
					    "'; there are " + known_subsets());
	if (parts.size() != out.size())
		throw std::invalid_argument(
			"three lists are needed (Y, Cb, Cr), got " + text);
	std::size_t num = 0;
	for (std::size_t c = 0; c < out.size(); c++) {
		out[c] = parse_list(parts[c]);
		num += out[c].size();
	}
	if (num == 0)
		throw std::invalid_argument("no frequency is left: " + text);
	return out;
}

Scaling
preset_scaling(const std::string &name, const std::string &layout,
	       uint32_t shorter_side)
{
	std::string known;

	for (const Preset &preset : PRESETS) {
		if (known.find(preset.name) == std::string::npos)
			known += (known.empty() ? "" : ", ") +
				 std::string(preset.name);
		if (name != preset.name ||
		    (preset.layout[0] != '\0' && layout != preset.layout) ||
		    shorter_side < preset.min_size ||
		    shorter_side > preset.max_size)
			continue;
		Scaling out = given_scaling({}, {}, {});
		for (std::size_t i = 0; i < CHANNELS; i++)
			scale_by(&out, i, preset.mean[i], preset.std[i]);
		return out;
	}
	throw std::invalid_argument("no statistics '" + name +
				    "' for layout '" + layout + "' at size " +
				    std::to_string(shorter_side) +
				    "; there are " + known);
}

Scaling
statistics_scaling(const std::vector<float> &mean,
		   const std::vector<float> &std, const Subset &subset)
{
	const std::vector<float> means = spread("mean", mean, subset, 0);
	const std::vector<float> stds = spread("std", std, subset, 1);
	Scaling out{ stds, means };

	for (std::size_t i = 0; i < CHANNELS; i++) {
		if (!(stds[i] > 0))
			throw std::invalid_argument(
				"every std must be above 0, got " +
				std::to_string(stds[i]));
		scale_by(&out, i, double(means[i]), double(stds[i]));
	}
	return out;
}

Scaling
given_scaling(const std::vector<float> &scale, const std::vector<float> &offset,
	      const Subset &subset)
{
	return { spread("scale", scale, subset, 1),
		 spread("shift", offset, subset, 0) };
}

void
fill_channels(dctload_output *output, const Subset &subset,
	      const Scaling &scaling)
{
	for (std::size_t c = 0; c < subset.size(); c++) {
		output->num_freqs[c] = uint32_t(subset[c].size());
		for (std::size_t j = 0; j < subset[c].size(); j++) {
			const std::size_t i = BLOCK * c + subset[c][j];

			output->freqs[c][j] = subset[c][j];
			output->scale[c][j] = scaling.scale[i];
			output->offset[c][j] = scaling.offset[i];
		}
	}
}

} /* namespace dctload */
