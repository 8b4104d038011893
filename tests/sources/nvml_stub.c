/* A stand-in for NVIDIA's libnvidia-ml.so.1, built by test_gpus.py where there is no GPU: CARDS cards, card 1 without a
   temperature and without processes. It does as it is told by files in $NVML_STUB_ORDERS: handle-lost-N, figures-lost-N
   (card N is lost), uncounted-N (left out, the others move up), count-uninitialized, figures-uninitialized (the driver
   is gone), mig-N (card N is divided into its MIG devices 0 and 2). Error numbers: nvmlReturn_t. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OK = 0, UNINITIALIZED = 1, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7, LOST = 15, SLOTS = 3 };

typedef struct { int card, slot; } device;
typedef device *handle;
static device whole[CARDS], slots[CARDS][SLOTS];

static int ordered(const char *name, int card) {
  char path[4096];
  const char *folder = getenv("NVML_STUB_ORDERS");
  snprintf(path, sizeof path, card < 0 ? "%s/%s" : "%s/%s-%d", folder ? folder : "/nowhere", name, card);
  return access(path, F_OK) == 0;
}

static int figures(handle d) {
  if (ordered("figures-uninitialized", -1)) return UNINITIALIZED;
  return ordered("figures-lost", d->card) ? LOST : OK;
}

#define ANSWERS(d) do { int code = figures(d); if (code) return code; } while (0)

int nvmlInit_v2(void) { /*INIT*/ }
int nvmlInitWithFlags(unsigned flags) { /*INIT*/ }
int nvmlShutdown(void) { return OK; }

const char *nvmlErrorString(int code) {
  if (code == UNINITIALIZED) return "Uninitialized";
  if (code == LOST) return "GPU is lost";
  return code == NOT_SUPPORTED ? "Not Supported" : "Unknown Error";
}

int nvmlDeviceGetCount_v2(unsigned *count) {
  /*COUNT*/
  if (ordered("count-uninitialized", -1)) return UNINITIALIZED;
  *count = 0;
  for (int card = 0; card < CARDS; card++) *count += !ordered("uncounted", card);
  return OK;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, handle *found) {
  unsigned seen = 0;
  for (int card = 0; card < CARDS; card++) {
    if (ordered("uncounted", card) || seen++ != index) continue;
    if (ordered("handle-lost", card)) return LOST;
    whole[card] = (device){card, -1};
    *found = &whole[card];
    return OK;
  }
  return NOT_FOUND;
}

int nvmlDeviceGetName(handle d, char *name, unsigned length) {
  ANSWERS(d);
  strcpy(name, d->slot < 0 ? "Stub 4000" : "Stub 4000 MIG 1g.5gb");
  return OK;
}

int nvmlDeviceGetUUID(handle d, char *uuid, unsigned length) {
  ANSWERS(d);
  sprintf(uuid, d->slot < 0 ? "GPU-%d" : "MIG-%d-%d", d->card, d->slot);
  return OK;
}

struct rates { unsigned gpu, memory; };
int nvmlDeviceGetUtilizationRates(handle d, struct rates *r) {
  ANSWERS(d);
  if (d->slot >= 0) return NOT_SUPPORTED;
  r->gpu = 87;
  r->memory = 1;
  return OK;
}

struct memory { unsigned long long total, free, used; };
int nvmlDeviceGetMemoryInfo(handle d, struct memory *m) {
  ANSWERS(d);
  *m = d->slot < 0 ? (struct memory){100, 60, 40} : (struct memory){10, 5, 5};
  return OK;
}

int nvmlDeviceGetPowerUsage(handle d, unsigned *milliwatts) {
  ANSWERS(d);
  if (d->slot >= 0) return NOT_SUPPORTED;
  *milliwatts = 350500;
  return OK;
}

int nvmlDeviceGetTemperature(handle d, unsigned sensor, unsigned *celsius) {
  ANSWERS(d);
  if (d->card == 1 || d->slot >= 0) return NOT_SUPPORTED;
  *celsius = 61;
  return OK;
}

struct user { unsigned pid; unsigned long long memory; unsigned instance, compute; };
int nvmlDeviceGetComputeRunningProcesses_v2(handle d, unsigned *count, struct user *users) {
  ANSWERS(d);
  if (d->card == 1 && d->slot < 0) { *count = 0; return OK; }
  if (*count == 0) { *count = 1; return INSUFFICIENT_SIZE; }
  *count = 1;
  users[0].pid = d->slot < 0 ? 4711 + d->card : 9000 + d->slot;
  return OK;
}

int nvmlDeviceGetMigMode(handle d, unsigned *current, unsigned *pending) {
  ANSWERS(d);
  *current = *pending = ordered("mig", d->card);
  return OK;
}

int nvmlDeviceGetMaxMigDeviceCount(handle d, unsigned *count) { *count = SLOTS; return OK; }

int nvmlDeviceGetMigDeviceHandleByIndex(handle d, unsigned index, handle *found) {
  ANSWERS(d);
  if (index == 1 || index >= SLOTS) return NOT_FOUND;
  slots[d->card][index] = (device){d->card, (int)index};
  *found = &slots[d->card][index];
  return OK;
}
