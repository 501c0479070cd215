/* Answers as NVIDIA's management library does with two GPUs, the second of which cannot be divided.
 * STATUS: with what it refuses to start; MIG: the first one is divided. */
#include <stdlib.h>
#include <string.h>

typedef struct { unsigned long long total, free, used; } memory_t;
typedef struct {
  char legacy[16];
  unsigned domain, bus, device, id, subsystem;
  char bus_id[32];
} pci_t;
enum { NOT_SUPPORTED = 3, NOT_FOUND = 6 };
static const char first, second, part;

int nvmlInit_v2(void) { return getenv("STATUS") ? atoi(getenv("STATUS")) : 0; }
int nvmlShutdown(void) { return 0; }
const char *nvmlErrorString(int status) {
  return status == 18 ? "Driver/library version mismatch" : "Unknown Error";
}
int nvmlSystemGetDriverVersion(char *text, unsigned size) { strncpy(text, "550.163.01", size); return 0; }
int nvmlSystemGetCudaDriverVersion_v2(int *version) { *version = 12040; return 0; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = 2; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, const void **gpu) {
  *gpu = index ? &second : &first;
  return 0;
}
int nvmlDeviceGetPciInfo_v3(const void *gpu, pci_t *pci) {
  memset(pci, 0, sizeof *pci);
  pci->bus = gpu == &first ? 0x01 : 0xa1;
  strcpy(pci->bus_id, gpu == &first ? "00000000:01:00.0" : "00000000:A1:00.0");
  return 0;
}
int nvmlDeviceGetName(const void *gpu, char *name, unsigned size) {
  strncpy(name, gpu == &part ? "NVIDIA H100 80GB HBM3 MIG 1g.10gb"
              : gpu == &first ? "NVIDIA H100 80GB HBM3" : "NVIDIA GeForce RTX 4090", size);
  return 0;
}
int nvmlDeviceGetMemoryInfo(const void *gpu, memory_t *memory) {
  memory->total = gpu == &part ? 10200547328u : gpu == &first ? 85520809984u : 25757220864u;
  memory->used = gpu == &first ? 3u << 20 : 1u << 20;
  return 0;
}
int nvmlDeviceGetUtilizationRates(const void *gpu, unsigned *used) {
  used[0] = gpu == &first ? 90 : 30;
  used[1] = 0;
  return 0;
}
int nvmlDeviceGetCudaComputeCapability(const void *gpu, int *major, int *minor) {
  *major = gpu == &first ? 9 : 8;
  *minor = gpu == &first ? 0 : 9;
  return 0;
}
int nvmlDeviceGetMigMode(const void *gpu, unsigned *current, unsigned *pending) {
  if (gpu != &first) return NOT_SUPPORTED;
  *current = *pending = getenv("MIG") != 0;
  return 0;
}
int nvmlDeviceGetMaxMigDeviceCount(const void *gpu, unsigned *count) { *count = 7; return 0; }
int nvmlDeviceGetMigDeviceHandleByIndex(const void *gpu, unsigned index, const void **found) {
  *found = &part;
  return index == 3 ? 0 : NOT_FOUND;
}
