/* SPDX-License-Identifier: MIT */
/*
 * cuda_runtime.h - stands in for CUDA's header of this name
 *
 * DALI's headers name CUDA's types and a few of its functions, also those that a
 * CPU operator includes.  With these declarations they compile where no CUDA
 * toolkit is; nothing here is called, and what DALI itself calls is in its own
 * libraries.  Names and values are those of CUDA's documented interface.
 */
#ifndef DCTLOAD_DALI_CUDA_RUNTIME_H
#define DCTLOAD_DALI_CUDA_RUNTIME_H

#include <stddef.h>

#define __host__
#define __device__
#define __global__
#define __forceinline__ inline __attribute__((always_inline))

typedef struct CUstream_st *cudaStream_t;
typedef struct CUevent_st *cudaEvent_t;
typedef struct CUctx_st *CUcontext;
typedef int CUdevice;

typedef enum cudaError {
	cudaSuccess = 0,
	cudaErrorMemoryAllocation = 2,
	cudaErrorCudartUnloading = 4,
	cudaErrorNotReady = 600
} cudaError_t;

typedef enum cudaError_enum {
	CUDA_SUCCESS = 0,
	CUDA_ERROR_OUT_OF_MEMORY = 2,
	CUDA_ERROR_DEINITIALIZED = 4
} CUresult;

enum { cudaEventDisableTiming = 2 };

enum cudaMemcpyKind {
	cudaMemcpyHostToHost = 0,
	cudaMemcpyHostToDevice = 1,
	cudaMemcpyDeviceToHost = 2,
	cudaMemcpyDeviceToDevice = 3,
	cudaMemcpyDefault = 4
};

struct __half2 {
	unsigned short x, y;
};

extern "C" {
const char *cudaGetErrorName(cudaError_t error);
const char *cudaGetErrorString(cudaError_t error);
cudaError_t cudaGetLastError(void);
cudaError_t cudaGetDevice(int *device);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamQuery(cudaStream_t stream);
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t nbytes,
			    cudaMemcpyKind kind, cudaStream_t stream);
CUresult cuGetErrorName(CUresult error, const char **text);
CUresult cuGetErrorString(CUresult error, const char **text);
}

#endif /* DCTLOAD_DALI_CUDA_RUNTIME_H */
