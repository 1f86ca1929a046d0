#include "byte_scan.h"

#include <stdlib.h>
#include <string.h>

enum { BUCKET_BITS = 18, BUCKETS = 1 << BUCKET_BITS };

struct byte_scan {
    size_t count;
    uint8_t **needles;
    size_t *lengths;
    int32_t *next;
    int32_t heads[BUCKETS];
};

static inline uint32_t bucket_of(const uint8_t *bytes) {
    uint32_t head;
    memcpy(&head, bytes, 4);
    return (head * 2654435761u) >> (32 - BUCKET_BITS);
}

byte_scan *byte_scan_make(const uint8_t *const *needles, const size_t *lengths, size_t count) {
    byte_scan *scan = calloc(1, sizeof *scan);
    if (!scan) return NULL;
    scan->needles = calloc(count ? count : 1, sizeof *scan->needles);
    scan->lengths = calloc(count ? count : 1, sizeof *scan->lengths);
    scan->next = calloc(count ? count : 1, sizeof *scan->next);
    if (!scan->needles || !scan->lengths || !scan->next) {
        byte_scan_free(scan);
        return NULL;
    }
    memset(scan->heads, -1, sizeof scan->heads);
    for (size_t i = 0; i < count; i++) {
        if (lengths[i] < 4) continue;
        scan->needles[i] = malloc(lengths[i]);
        if (!scan->needles[i]) {
            byte_scan_free(scan);
            return NULL;
        }
        scan->count = i + 1;
        memcpy(scan->needles[i], needles[i], lengths[i]);
        scan->lengths[i] = lengths[i];
        uint32_t bucket = bucket_of(needles[i]);
        scan->next[i] = scan->heads[bucket];
        scan->heads[bucket] = (int32_t)i;
    }
    return scan;
}

void byte_scan_free(byte_scan *scan) {
    if (!scan) return;
    for (size_t i = 0; scan->needles && i < scan->count; i++) free(scan->needles[i]);
    free(scan->needles);
    free(scan->lengths);
    free(scan->next);
    free(scan);
}

long byte_scan_find(const byte_scan *scan, const uint8_t *bytes, size_t count) {
    if (count < 4) return -1;
    for (size_t at = 0; at + 4 <= count; at++) {
        for (int32_t i = scan->heads[bucket_of(bytes + at)]; i >= 0; i = scan->next[i]) {
            size_t length = scan->lengths[i];
            if (length <= count - at && memcmp(bytes + at, scan->needles[i], length) == 0) return i;
        }
    }
    return -1;
}
