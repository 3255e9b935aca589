/* SPDX-License-Identifier: MIT */
/* arguments.cc - numbers that may differ from sample to sample */
#include "arguments.hpp"

#include <algorithm>
#include <stdexcept>

namespace dctload
{

namespace
{

template <typename T>
std::vector<double>
widened(const void *data, std::size_t num)
{
	const T *numbers = static_cast<const T *>(data);

	return std::vector<double>(numbers, numbers + num);
}

std::vector<double>
widened_as(dali::DALIDataType type, const void *data, std::size_t num)
{
	switch (type) {
	case DALI_BOOL:
	case DALI_UINT8:
		return widened<uint8_t>(data, num);
	case DALI_INT8:
		return widened<int8_t>(data, num);
	case DALI_INT16:
		return widened<int16_t>(data, num);
	case DALI_UINT16:
		return widened<uint16_t>(data, num);
	case DALI_INT32:
		return widened<int32_t>(data, num);
	case DALI_UINT32:
		return widened<uint32_t>(data, num);
	case DALI_INT64:
		return widened<int64_t>(data, num);
	case DALI_FLOAT:
		return widened<float>(data, num);
	case DALI_FLOAT64:
		return widened<double>(data, num);
	default:
		throw std::invalid_argument("neither integers nor floats");
	}
}

/* A constant, whichever kind of argument the schema says it is. */
std::vector<double>
constant_of(const dali::OpSpec &spec, const std::string &name)
{
	std::vector<float> floats;
	std::vector<int> ints;
	int number;

	if (spec.TryGetRepeatedArgument(floats, name))
		return { floats.begin(), floats.end() };
	if (spec.TryGetRepeatedArgument(ints, name))
		return { ints.begin(), ints.end() };
	if (spec.TryGetArgument(number, name))
		return { double(number) };
	return {};
}

} /* namespace */

SampleNumbers::SampleNumbers(const dali::OpSpec &spec, const std::string &name)
    : name_(name), is_input_(spec.HasTensorArgument(name))
{
	if (!is_input_)
		constant_ = constant_of(spec, name);
}

void
SampleNumbers::acquire(const dali::Workspace &ws, int num,
		       const std::vector<std::size_t> &counts)
{
	if (is_input_) {
		input_ = &ws.ArgumentInput(name_);
		if (input_->num_samples() != num)
			throw std::invalid_argument(
				name_ + ": " + std::to_string(num) +
				" samples, but the argument has " +
				std::to_string(input_->num_samples()));
	}
	if (!*this || counts.empty())
		return;
	for (int i = 0; i < (is_input_ ? num : 1); i++) {
		const std::size_t count = (*this)[i].size();

		if (std::find(counts.begin(), counts.end(), count) ==
		    counts.end())
			throw std::invalid_argument(
				name_ + " must have " +
				std::to_string(counts.back()) +
				" numbers for each sample, got " +
				std::to_string(count));
	}
}

std::vector<double>
SampleNumbers::operator[](int i) const
{
	if (!is_input_)
		return constant_;
	try {
		return widened_as(input_->type(), input_->raw_tensor(i),
				  std::size_t(dali::volume(
					  input_->tensor_shape_span(i))));
	} catch (const std::invalid_argument &error) {
		throw std::invalid_argument(name_ + ": " + error.what());
	}
}

} /* namespace dctload */
