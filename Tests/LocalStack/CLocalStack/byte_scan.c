#include "byte_scan.h"

#include <stdlib.h>
#include <string.h>

// A needle of at least 15 bytes covers a whole word of 8 bytes that begins at a multiple of 8, wherever it stands: so
// only those words of a buffer are looked at, and each needle is filed under the eight words that it can show there.
enum { WORD = 8, SHORTEST = 2 * WORD - 1, BUCKET_BITS = 18, BUCKETS = 1 << BUCKET_BITS };

struct entry {
    uint64_t word;
    int32_t needle, offset, next;
};

struct byte_scan {
    size_t count;
    uint8_t **needles;
    size_t *lengths;
    struct entry *entries;
    uint64_t filled[BUCKETS / 64];
    int32_t heads[BUCKETS];
};

static inline uint64_t word_at(const uint8_t *bytes) {
    uint64_t word;
    memcpy(&word, bytes, WORD);
    return word;
}

static inline uint32_t bucket_of(uint64_t word) { return (uint32_t)((word * 0x9E3779B97F4A7C15u) >> (64 - BUCKET_BITS)); }

byte_scan *byte_scan_make(const uint8_t *const *needles, const size_t *lengths, size_t count) {
    byte_scan *scan = calloc(1, sizeof *scan);
    if (!scan) return NULL;
    scan->needles = calloc(count + 1, sizeof *scan->needles);
    scan->lengths = calloc(count + 1, sizeof *scan->lengths);
    scan->entries = calloc(count * WORD + 1, sizeof *scan->entries);
    memset(scan->heads, -1, sizeof scan->heads);
    int made = scan->needles && scan->lengths && scan->entries;
    for (size_t i = 0; made && i < count; i++) {
        made = lengths[i] >= SHORTEST && (scan->needles[i] = malloc(lengths[i]));
        if (!made) break;
        scan->count = i + 1;
        memcpy(scan->needles[i], needles[i], lengths[i]);
        scan->lengths[i] = lengths[i];
        for (int32_t offset = 0; offset < WORD; offset++) {
            uint64_t word = word_at(needles[i] + offset);
            uint32_t bucket = bucket_of(word);
            int32_t at = (int32_t)i * WORD + offset;
            scan->entries[at] = (struct entry){word, (int32_t)i, offset, scan->heads[bucket]};
            scan->heads[bucket] = at;
            scan->filled[bucket / 64] |= 1ull << (bucket % 64);
        }
    }
    if (made) return scan;
    byte_scan_free(scan);
    return NULL;
}

void byte_scan_free(byte_scan *scan) {
    if (!scan) return;
    for (size_t i = 0; scan->needles && i < scan->count; i++) free(scan->needles[i]);
    free(scan->needles);
    free(scan->lengths);
    free(scan->entries);
    free(scan);
}

/// Index of a needle that shows `word` at `at`, or -1.
static long needle_at(const byte_scan *scan, const uint8_t *bytes, size_t count, size_t at, uint64_t word,
                      uint32_t bucket) {
    for (int32_t i = scan->heads[bucket]; i >= 0; i = scan->entries[i].next) {
        const struct entry *entry = &scan->entries[i];
        if (entry->word != word || (size_t)entry->offset > at) continue;
        size_t start = at - (size_t)entry->offset, length = scan->lengths[entry->needle];
        if (length <= count - start && memcmp(bytes + start, scan->needles[entry->needle], length) == 0)
            return entry->needle;
    }
    return -1;
}

long byte_scan_find(const byte_scan *scan, const uint8_t *bytes, size_t count) {
    for (size_t at = 0; at + WORD <= count; at += WORD) {
        uint64_t word = word_at(bytes + at);
        uint32_t bucket = bucket_of(word);
        if (!(scan->filled[bucket / 64] >> (bucket % 64) & 1)) continue;
        long found = needle_at(scan, bytes, count, at, word, bucket);
        if (found >= 0) return found;
    }
    return -1;
}
