// A source of randomness for simulations: repeatable on threads that have a seed, the system's on all others.
#include "CTLSHarness.h"

#include <sys/random.h>

static _Thread_local uint64_t state;
static _Thread_local int is_seeded;

void ctlsharness_seed(uint64_t seed) {
  state = seed;
  is_seeded = 1;
}

void ctlsharness_unseed(void) { is_seeded = 0; }

/// SplitMix64.
static uint64_t next(void) {
  uint64_t z = state += 0x9E3779B97F4A7C15;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
  z = (z ^ z >> 27) * 0x94D049BB133111EB;
  return z ^ z >> 31;
}

int ctlsharness_random(uint8_t *to, size_t count) {
  if (is_seeded) {
    for (size_t i = 0; i < count; i++) to[i] = (uint8_t)next();
    return 1;
  }
  while (count > 0) {
    const ssize_t filled = getrandom(to, count, 0);
    if (filled < 0) continue; // a signal came
    to += filled;
    count -= (size_t)filled;
  }
  return 1;
}
