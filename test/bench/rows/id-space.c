/*
 * The reference of the id-space bench: server/core/lowest-space.ts in C, the same structure and the same three calls (find,
 * take, give, each of which checks what it is told), driven as id-space-pairs.ts drives the other.
 *
 * cc -O2 id-space.c -o id-space && ./id-space lowest CAPACITY MIN MAX LIVE
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { WORD_BITS = 32, WORD_SHIFT = 5, LAST_BIT = 31, MAX_LEVELS = 5, PAIRS_AT_ONCE = 10000 };

static uint32_t *levels[MAX_LEVELS];
static int level_count;
static uint32_t capacity;
static uint32_t available;

static void fail(const char *why) {
  fprintf(stderr, "id-space: %s\n", why);
  exit(1);
}

static void *allocate(size_t count, size_t size) {
  void *memory = calloc(count, size);
  if (memory == NULL) fail("no memory");
  return memory;
}

static void make_levels(void) {
  uint32_t bits = capacity;
  do {
    bits = (bits + LAST_BIT) / WORD_BITS;
    levels[level_count++] = allocate(bits + 1, sizeof(uint32_t));
  } while (bits > 1);
}

static int64_t find(uint32_t min, uint32_t max) {
  if (min > max || max >= capacity) fail("a range that is not within the space");
  uint32_t bit = min;
  for (int level = 0; level < level_count; level++) {
    uint32_t word = bit >> WORD_SHIFT;
    uint32_t rest = levels[level][word] >> (bit & LAST_BIT);
    if (rest != 0) {
      bit += (uint32_t)__builtin_ctz(rest);
      for (int below = level - 1; below >= 0; below--) {
        bit = bit * WORD_BITS + (uint32_t)__builtin_ctz(levels[below][bit]);
      }
      return bit <= max ? (int64_t)bit : -1;
    }
    bit = word + 1;
  }
  return -1;
}

static void take(uint32_t id) {
  if (id >= capacity) fail("an id beyond the space");
  uint32_t bit = id;
  if ((levels[0][bit >> WORD_SHIFT] >> (bit & LAST_BIT) & 1) == 0) fail("an id that is not available to take");
  for (int level = 0; level < level_count; level++) {
    uint32_t word = bit >> WORD_SHIFT;
    uint32_t rest = levels[level][word] & ~(UINT32_C(1) << (bit & LAST_BIT));
    levels[level][word] = rest;
    if (rest != 0) break;
    bit = word;
  }
  available--;
}

static void give(uint32_t id) {
  if (id >= capacity) fail("an id beyond the space");
  uint32_t bit = id;
  if ((levels[0][bit >> WORD_SHIFT] >> (bit & LAST_BIT) & 1) != 0) fail("an id that is available already");
  for (int level = 0; level < level_count; level++) {
    uint32_t word = bit >> WORD_SHIFT;
    uint32_t before = levels[level][word];
    levels[level][word] = before | UINT32_C(1) << (bit & LAST_BIT);
    if (before != 0) break;
    bit = word;
  }
  available++;
}

static uint32_t drawn = 2463534242;

static uint32_t draw(void) {
  drawn ^= drawn << 13;
  drawn ^= drawn >> 17;
  drawn ^= drawn << 5;
  return drawn;
}

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint32_t *queue;
static uint32_t live;
static uint32_t place;

static void pairs(uint32_t min, uint32_t max) {
  for (int pair = 0; pair < PAIRS_AT_ONCE; pair++) {
    int64_t id = find(min, max);
    if (id < 0) fail("the range is full");
    take((uint32_t)id);
    give(queue[place]);
    queue[place] = (uint32_t)id;
    place = place + 1 == live ? 0 : place + 1;
  }
}

static double measure_ns(double ms, uint32_t min, uint32_t max) {
  uint64_t done = 0;
  uint64_t start = now_ns();
  uint64_t took = 0;
  while (took < ms * 1e6) {
    pairs(min, max);
    done += PAIRS_AT_ONCE;
    took = now_ns() - start;
  }
  return (double)took / (double)done;
}

int main(int argc, char **argv) {
  if (argc != 6) fail("usage: id-space lowest CAPACITY MIN MAX LIVE");
  capacity = (uint32_t)strtoul(argv[2], NULL, 10);
  uint32_t min = (uint32_t)strtoul(argv[3], NULL, 10);
  uint32_t max = (uint32_t)strtoul(argv[4], NULL, 10);
  live = (uint32_t)strtoul(argv[5], NULL, 10);
  uint32_t range = max - min + 1;
  if (capacity < 2 || capacity > UINT32_C(1) << 24 || max >= capacity || min > max || live == 0 || live >= range) {
    fail("arguments that make no sense");
  }

  make_levels();
  queue = allocate(range, sizeof(uint32_t));
  for (uint32_t index = 0; index < range; index++) queue[index] = min + index;
  for (uint32_t index = range - 1; index > 0; index--) {
    uint32_t other = draw() % (index + 1);
    uint32_t moved = queue[index];
    queue[index] = queue[other];
    queue[other] = moved;
  }
  for (uint32_t id = 0; id < capacity; id++) {
    if (id >= min && id <= max ? 1 : id % 2 == 0) give(id);
  }
  for (uint32_t index = 0; index < live; index++) take(queue[index]);

  char line[64];
  while (fgets(line, sizeof line, stdin) != NULL) {
    printf("%.3f\n", measure_ns(strtod(line, NULL), min, max));
    fflush(stdout);
  }
  return 0;
}
