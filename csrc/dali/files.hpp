/* SPDX-License-Identifier: MIT */
/* files.hpp - what the operators share: encoded files in, a policy for bad ones */
#ifndef DCTLOAD_DALI_FILES_HPP
#define DCTLOAD_DALI_FILES_HPP

#include <memory>
#include <string>
#include <vector>

#include "dali/pipeline/operator/checkpointing/stateless_operator.h"
#include "dali/pipeline/operator/operator.h"

#include "core.hpp"
#include "faults.hpp"

namespace dctload
{

using Samples = dali::TensorList<dali::CPUBackend>;

/*
 * An operator whose input are files.  SetupImpl() of a derived class begins with
 * read_headers(); RunImpl() has the pool work with run(), and ends with finish().
 */
class FileOperator : public dali::StatelessOperator<dali::CPUBackend>
{
      protected:
	explicit FileOperator(const dali::OpSpec &spec);

	/* Headers of all samples, each with a status; returns their number. */
	int read_headers(const dali::Workspace &ws);

	/* The item of sample i; see place_. */
	dctload_item &
	item(int i)
	{
		return core.batch_items(batch_.get())[place_[size_t(i)]];
	}

	/* What the file is called, "sample I" if nobody says. */
	std::string name(const dali::Workspace &ws, int i) const;

	/*
	 * Let the pool do what was begun on the batch: one piece of work for each
	 * thread, which goes on as long as there are samples, so that the lanes
	 * of its decoder stay full.
	 */
	void run(dali::Workspace &ws);

	/*
	 * Throw if a sample failed, or with on_error="zero" fill the outputs of it
	 * with zeroes and write the statuses, which are the output after them.
	 */
	void finish(dali::Workspace &ws, int outputs);

	/* The output of the statuses, if there is one. */
	void
	describe_status(std::vector<dali::OutputDesc> *desc, int num) const;

	OnError on_error_;
	dctload_limits limits_;
	std::unique_ptr<dctload_batch, void (*)(dctload_batch *)> batch_;

      private:
	void fail(dali::Workspace &ws, int outputs, int i);

	void place_items(const Samples &input, int num);

	/*
	 * Which item each sample is.  Items are taken from the first on, so large
	 * files come first: the threads end closer together when what they do
	 * last is small.
	 */
	std::vector<size_t> place_;
	int capacity_ = 0;
	std::vector<std::unique_ptr<dctload_worker, void (*)(dctload_worker *)>>
		workers_;
};

/* on_error="zero" adds an output. */
int num_status_outputs(const dali::OpSpec &spec);

} /* namespace dctload */

#endif /* DCTLOAD_DALI_FILES_HPP */
