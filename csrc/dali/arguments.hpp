/* SPDX-License-Identifier: MIT */
/* arguments.hpp - numbers that may differ from sample to sample */
#ifndef DCTLOAD_DALI_ARGUMENTS_HPP
#define DCTLOAD_DALI_ARGUMENTS_HPP

#include <string>
#include <vector>

#include "dali/pipeline/operator/operator.h"

namespace dctload
{

/*
 * An argument that is a constant or an input.  DALI's own ArgValue takes one type
 * only; generators of crop windows give int32, int64 or float.
 */
class SampleNumbers
{
      public:
	SampleNumbers(const dali::OpSpec &spec, const std::string &name);

	/* Whether it was given, or has a default of at least one number. */
	explicit
	operator bool() const
	{
		return is_input_ || !constant_.empty();
	}

	/*
	 * Look at the batch of 'ws'.  Throws std::invalid_argument unless every
	 * sample has one of these counts of numbers, if any are said.
	 */
	void acquire(const dali::Workspace &ws, int num,
		     const std::vector<std::size_t> &counts);

	/* Sample i's, widened exactly. */
	std::vector<double> operator[](int i) const;

      private:
	std::string name_;
	bool is_input_;
	std::vector<double> constant_;
	const dali::TensorList<dali::CPUBackend> *input_ = nullptr;
};

} /* namespace dctload */

#endif /* DCTLOAD_DALI_ARGUMENTS_HPP */
