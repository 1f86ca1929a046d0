#pragma once
#include <stddef.h>
#include <stdint.h>

/// Needles of at least 15 bytes, prepared for one pass over many buffers.
typedef struct byte_scan byte_scan;

/// Prepares `count` needles; the bytes are copied. Returns NULL without memory, or for a shorter needle.
byte_scan *byte_scan_make(const uint8_t *const *needles, const size_t *lengths, size_t count);
void byte_scan_free(byte_scan *scan);

/// Index of a needle that occurs in `bytes`, or -1.
long byte_scan_find(const byte_scan *scan, const uint8_t *bytes, size_t count);
