/* Answers as NVIDIA's driver would with one GPU, whose memory is this computer's.
 * FAIL: a function that refuses; STATUS: with which number; WRONG: how many sums it gets wrong. */
#include <stdlib.h>
#include <string.h>

typedef unsigned long long address;
static size_t allocated;

static int ends(const char *name) {
  const char *refused = getenv("FAIL"), *status = getenv("STATUS");
  return refused && !strcmp(refused, name) ? atoi(status ? status : "999") : 0;
}

int cuInit(unsigned flags) { return ends("cuInit"); }
int cuDeviceGetCount(int *count) { *count = getenv("NONE") ? 0 : 1; return 0; }
int cuDeviceGet(int *device, int number) { *device = number; return 0; }
int cuDriverGetVersion(int *version) { *version = 12040; return 0; }
int cuDeviceGetAttribute(int *value, int which, int device) { *value = which == 75 ? 9 : 0; return 0; }
int cuDevicePrimaryCtxRetain(void **context, int device) { return 0; }
int cuCtxSetCurrent(void *context) { return 0; }
int cuModuleLoadData(void **module, const void *text) { return strstr(text, "scale") ? 0 : 200; }
int cuModuleGetFunction(void **kernel, void *module, const char *name) { return 0; }
int cuMemAlloc_v2(address *there, size_t size) {
  *there = (address)(size_t)malloc(allocated = size);
  return 0;
}
int cuMemcpyHtoD_v2(address there, const void *here, size_t size) {
  memcpy((void *)(size_t)there, here, size);
  return 0;
}
int cuMemcpyDtoH_v2(void *here, address there, size_t size) {
  memcpy(here, (void *)(size_t)there, size);
  return 0;
}
int cuMemFree_v2(address there) { free((void *)(size_t)there); return 0; }
int cuLaunchKernel(void *kernel, unsigned x, unsigned y, unsigned z, unsigned tx, unsigned ty,
                   unsigned tz, unsigned shared, void *stream, void **arguments, void **more) {
  float *values = (float *)(size_t)*(address *)arguments[0], factor = *(float *)arguments[1];
  const char *wrong = getenv("WRONG");
  if (getenv("CRASH")) abort();
  for (size_t i = wrong ? atoi(wrong) : 0; i < (size_t)x * tx; i++) values[i] *= factor;
  return ends("cuLaunchKernel");
}
int cuCtxSynchronize(void) { return ends("cuCtxSynchronize"); }
int cuGetErrorString(int status, const char **text) {
  *text = status == 803 ? "system has unsupported display driver / cuda driver combination"
                        : "unknown error";
  return 0;
}
