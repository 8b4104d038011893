/* Eight stand-in GPUs for the pictures of docs/screens, as a libnvidia-ml.so.1 that the watch alone is given: the demo
   runs on CPUs. Their name says what they are. $PICTURE_GPUS names a file whose line N is the pid on card N. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OK = 0, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7, CARDS = 8 };
typedef struct { int card; } *handle;
static struct { int card; } cards[CARDS];

static unsigned pid_on(int card) {
  const char *path = getenv("PICTURE_GPUS");
  FILE *file = path ? fopen(path, "r") : NULL;
  unsigned pid = 0;
  for (int line = 0; file && line <= card; line++)
    if (fscanf(file, "%u", &pid) != 1) { pid = 0; break; }
  if (file) fclose(file);
  return pid;
}

int nvmlInit_v2(void) { return OK; }
int nvmlInitWithFlags(unsigned flags) { return OK; }
int nvmlShutdown(void) { return OK; }
const char *nvmlErrorString(int code) { return code == NOT_SUPPORTED ? "Not Supported" : "Unknown Error"; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = CARDS; return OK; }

int nvmlDeviceGetHandleByIndex_v2(unsigned index, handle *found) {
  if (index >= CARDS) return NOT_FOUND;
  cards[index].card = (int)index;
  *found = (handle)&cards[index];
  return OK;
}

int nvmlDeviceGetName(handle d, char *name, unsigned length) { strcpy(name, "stand-in GPU"); return OK; }
int nvmlDeviceGetUUID(handle d, char *uuid, unsigned length) { sprintf(uuid, "GPU-%d", d->card); return OK; }

struct rates { unsigned gpu, memory; };
int nvmlDeviceGetUtilizationRates(handle d, struct rates *r) {
  r->gpu = d->card < 4 ? 0 : 3 + 9 * (unsigned)(d->card - 4);
  r->memory = 1;
  return OK;
}

struct memory { unsigned long long total, free, used; };
int nvmlDeviceGetMemoryInfo(handle d, struct memory *m) {
  m->total = 80ULL << 30;
  m->used = (61ULL + (unsigned)d->card) << 30;
  m->free = m->total - m->used;
  return OK;
}

int nvmlDeviceGetPowerUsage(handle d, unsigned *milliwatts) { *milliwatts = 92000 + 21000 * (unsigned)d->card; return OK; }
int nvmlDeviceGetTemperature(handle d, unsigned sensor, unsigned *celsius) { *celsius = 36 + (unsigned)d->card; return OK; }

struct user { unsigned pid; unsigned long long memory; unsigned instance, compute; };
int nvmlDeviceGetComputeRunningProcesses_v2(handle d, unsigned *count, struct user *users) {
  unsigned pid = pid_on(d->card), room = *count;
  *count = pid != 0;
  if (!pid) return OK;
  if (!room) return INSUFFICIENT_SIZE;
  users[0].pid = pid;
  return OK;
}

int nvmlDeviceGetMigMode(handle d, unsigned *current, unsigned *pending) { return NOT_SUPPORTED; }
