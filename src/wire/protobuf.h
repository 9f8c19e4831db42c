/* wire/protobuf.h - Protocol Buffers on the wire: reading and writing fields. Pure: callable
 * anywhere. Source: the encoding page of the Protocol Buffers documentation.
 * Rules: groups (wire types 3 and 4, retired) are an error; a field whose number or wire type is
 * not the expected one is skipped by who reads. A reader never descends by itself: nested messages
 * are bytes until somebody reads them, so nesting costs no stack. */
#ifndef WIRE_PROTOBUF_H
#define WIRE_PROTOBUF_H

#include "base/buf.h"

enum pb_wire { PB_VARINT = 0, PB_FIXED64 = 1, PB_BYTES = 2, PB_FIXED32 = 5 };

struct pb_field {
    uint32_t number;
    enum pb_wire wire;
    uint64_t value;     /* PB_VARINT, PB_FIXED64, PB_FIXED32: the bits */
    struct slice bytes; /* PB_BYTES: points into what is read */
};

struct pb_reader {
    const char *at;
    const char *end;
    bool is_bad; /* stopped at malformed bytes */
};

struct pb_reader pb_reader_of(struct slice message);
/* pb_next reads the next field. False at the end, and at malformed bytes: then reader->is_bad. */
bool pb_next(struct pb_reader *reader, struct pb_field *ret);
/* pb_varint reads a bare number, as packed arrays have; false as above. */
bool pb_varint(struct pb_reader *reader, uint64_t *ret);
/* pb_fixed64 reads 8 bytes, as packed arrays of double have; false as above. */
bool pb_fixed64(struct pb_reader *reader, uint64_t *ret);
/* pb_count is how many fields with this number and wire type are still to come; stops counting at
 * malformed bytes. The reader stays where it is. */
size_t pb_count(struct pb_reader reader, uint32_t number, enum pb_wire wire);

int64_t pb_unzigzag(uint64_t value);
uint64_t pb_zigzag(int64_t value);
double pb_double(uint64_t bits);
uint64_t pb_double_bits(double number);

/* Writing appends to a buf; a miss is remembered there. pb_varint_len: 1..10. */
size_t pb_varint_len(uint64_t value);
void pb_write_varint(struct buf *out, uint64_t value);
void pb_write_fixed64(struct buf *out, uint64_t bits); /* bare, for packed arrays */
void pb_write_u64(struct buf *out, uint32_t number, uint64_t value);
void pb_write_double(struct buf *out, uint32_t number, double value);
void pb_write_bytes(struct buf *out, uint32_t number, struct slice bytes);

/* pb_begin opens a nested message; what is appended until pb_end is its content. The length goes in
 * front at the end, which moves the content by a few bytes if its length takes another number of
 * bytes than `expected_bytes` would: a good guess saves that, a bad one does no harm. */
struct pb_nested {
    size_t start;   /* of the tag */
    size_t content; /* where the content starts, for now */
};
struct pb_nested pb_begin(struct buf *out, uint32_t number, size_t expected_bytes);
void pb_end(struct buf *out, struct pb_nested nested);
/* pb_end_unless_empty takes the field back if it has no content. */
void pb_end_unless_empty(struct buf *out, struct pb_nested nested);

#endif
