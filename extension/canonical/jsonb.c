/*
 * jsonb.c
 *		Canonical JSON straight from the binary form of jsonb.
 *
 * JsonbIterator copies every key and value into a JsonbValue and visits members
 * in jsonb's own order (length, then bytes).  Here the containers are walked
 * where they lie (utils/jsonb.h describes their layout), the names are put into
 * canonical order, and numbers are read from numeric's digits.  There is no
 * recursion: open containers are frames of an array.
 */

#include "canonical/jsonb.h"

#include "canonical/backend.h"
#include "canonical/shape.h"
#include "core/canonical.h"
#include "core/canonical_number.h"
#include "core/name_order.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/memutils.h"

/* A container that is being written. */
typedef struct Frame
{
	const JsonbContainer *container;
	const char *data;			/* what the entries' offsets are relative to */
	const ObjectShape *shape;	/* objects: NULL if it is not a known one */
	uint32		count;
	uint32		done;
	uint32		offset;			/* arrays: where the next element begins */
	uint32		members;		/* objects: index of the first of its members in the walk's */
	bool		is_object;
} Frame;

/*
 * A member of an object.  With a shape the members are in jsonb's order and have
 * but their offset, as the shape knows the rest; without, in canonical order.
 */
typedef struct Member
{
	uint32		offset;			/* where the value's bytes begin */
	uint32		entry;			/* index of the value's JEntry */
	const char *name;
	uint32		name_length;
} Member;

/* Levels and members that need no memory from the context. */
#define FRAMES_AT_HAND 32
#define MEMBERS_AT_HAND 128
#define NAMES_AT_HAND 64

typedef struct Walk
{
	ByteBuffer *out;
	size_t		flush_at;
	CanonicalFlush flush;
	void	   *flush_context;
	uint64		number;			/* tells this walk from others */
	Frame	   *frames;
	uint32		depth;
	uint32		frame_capacity;
	Member	   *members;		/* of all open objects, a stack like frames */
	uint32		member_count;
	uint32		member_capacity;
	/* For the object that is being opened: its names, room to sort them, and where values begin. */
	OrderedName *names;
	OrderedName *scratch;
	uint32	   *offsets;
	uint32		name_capacity;
	Frame		frames_at_hand[FRAMES_AT_HAND];
	Member		members_at_hand[MEMBERS_AT_HAND];
	OrderedName names_at_hand[NAMES_AT_HAND];
	OrderedName scratch_at_hand[NAMES_AT_HAND];
	uint32		offsets_at_hand[NAMES_AT_HAND];
} Walk;

/*
 * The layout of numeric on disk (utils/adt/numeric.c keeps it to itself; it has
 * not changed since 9.1, and pg_upgrade relies on it).
 */
#define NUMERIC_SIGN_BITS		0xC000
#define NUMERIC_LONG_NEGATIVE	0x4000
#define NUMERIC_IS_SHORT		0x8000
#define NUMERIC_IS_SPECIAL		0xC000
#define NUMERIC_SHORT_NEGATIVE	0x2000
#define NUMERIC_SHORT_WEIGHT_NEGATIVE	0x0040
#define NUMERIC_SHORT_WEIGHT	0x003F

/* A numeric: sum of digits[i] * 10000^(weight - i). */
typedef struct NumericParts
{
	bool		negative;
	int			weight;
	int			count;
	const int16 *digits;
} NumericParts;

static pg_attribute_always_inline NumericParts
numeric_parts(const char *datum)
{
	NumericParts parts;
	const char *bytes = VARDATA_ANY(datum);
	int			size = VARSIZE_ANY_EXHDR(datum);
	uint16		header;

	memcpy(&header, bytes, sizeof(header));
	if ((header & NUMERIC_SIGN_BITS) == NUMERIC_IS_SPECIAL)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("JSON has no form for NaN and infinity")));
	if (header & NUMERIC_IS_SHORT)
	{
		parts.negative = (header & NUMERIC_SHORT_NEGATIVE) != 0;
		parts.weight = header & NUMERIC_SHORT_WEIGHT;
		if (header & NUMERIC_SHORT_WEIGHT_NEGATIVE)
			parts.weight |= ~NUMERIC_SHORT_WEIGHT;
		parts.digits = (const int16 *) (bytes + sizeof(uint16));
		parts.count = (size - (int) sizeof(uint16)) / (int) sizeof(int16);
	}
	else
	{
		int16		weight;

		memcpy(&weight, bytes + sizeof(uint16), sizeof(weight));
		parts.negative = (header & NUMERIC_SIGN_BITS) == NUMERIC_LONG_NEGATIVE;
		parts.weight = weight;
		parts.digits = (const int16 *) (bytes + 2 * sizeof(uint16));
		parts.count = (size - 2 * (int) sizeof(uint16)) / (int) sizeof(int16);
	}
	return parts;
}

static REASON_NORETURN void
report_out_of_range(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("number in jsonb is beyond the range of a double")));
	pg_unreachable();
}

/* Any number of digits, of any value. */
static void pg_noinline
write_long_numeric(ByteBuffer *out, NumericParts parts)
{
	char	   *digits = palloc(parts.count * 4);
	double		value;

	for (int i = 0; i < parts.count; i++)
	{
		int			digit = parts.digits[i];

		digits[i * 4] = '0' + digit / 1000;
		digits[i * 4 + 1] = '0' + digit / 100 % 10;
		digits[i * 4 + 2] = '0' + digit / 10 % 10;
		digits[i * 4 + 3] = '0' + digit % 10;
	}
	value = decimal_text_to_double(digits, parts.count * 4, (parts.weight - parts.count + 1) * 4);
	pfree(digits);
	if (isinf(value))
		report_out_of_range();
	canonical_write_number(out, parts.negative ? -value : value);
}

/* Trailing zeros of a number from 1 to 9999 written with four digits: bytes that are '0'. */
static inline int
zeros_of_four(unsigned value)
{
	uint32		digits = decimal_four(value) ^ 0x30303030;

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return __builtin_clz(digits) >> 3;
#else
	return __builtin_ctz(digits) >> 3;
#endif
}

/* value / 10^zeros for a value below 10,000: a division would take longer than all the rest. */
static inline unsigned
without_zeros(unsigned value, int zeros)
{
	static const uint32 reciprocals[] = {1 << 23, 838861, 83887, 8389};

	return (uint64) value * reciprocals[zeros] >> 23;
}

/*
 * Lays out digits as they are, in the range that ECMAScript writes without
 * exponent: where they are known to be those of ECMAScript no conversion is needed
 * (see core/canonical_number.h).  Without branches where lengths vary, which nothing could
 * predict: four bytes are written, and as many count as do.
 */
static pg_attribute_always_inline void
write_plain_numeric(ByteBuffer *out, NumericParts parts, int first_length, int zeros)
{
	const int16 *digits = parts.digits;
	int			count = parts.count;
	char	   *start = out->data + out->length;
	char	   *p = start;
	int			i = 0;

	*p = '-';
	p += parts.negative;
	if (parts.weight >= 0)
	{
		decimal_write_last_of_four(p, digits[0], first_length);
		p += first_length;
		for (i = 1; i <= parts.weight; i++, p += 4)
			decimal_write_four(p, i < count ? digits[i] : 0);
	}
	else
		*p++ = '0';
	if (i < count)
	{
		int			left = count - i;

		*p++ = '.';
		decimal_write_four(p, digits[i]);
		if (left > 2)
		{
			/* Doubles have three to five: what is written too much does not count. */
			decimal_write_four(p + 4, digits[i + 1]);
			decimal_write_four(p + 8, digits[i + 2]);
			decimal_write_four(p + 12, digits[Min(i + 3, count - 1)]);
			decimal_write_four(p + 16, digits[count - 1]);
		}
		else if (left > 1)
			decimal_write_four(p + 4, digits[i + 1]);
		p += left * 4 - zeros;
	}
	out->length += p - start;
}

/* Up to 19 digits that are not laid out as they are: by way of a double, or with an exponent. */
static void pg_noinline
write_decimal(ByteBuffer *out, NumericParts parts, Decimal decimal, bool shortest)
{
	double		value;

	if (!shortest)
	{
		if (!decimal_to_double(decimal.digits, decimal.exponent, &value))
		{
			write_long_numeric(out, parts);
			return;
		}
		decimal = decimal_shortest(value);
	}
	out->length += decimal_format(out->data + out->length, parts.negative,
								  decimal.digits, decimal_count_digits(decimal.digits), decimal.exponent);
}

/* The digits of a numeric as one number; the last four end in so many zeros, which do not count. */
static pg_attribute_always_inline Decimal
numeric_decimal(NumericParts parts, int zeros)
{
	static const int powers[] = {1, 10, 100, 1000, 10000};
	Decimal		decimal = {0, (parts.weight - parts.count + 1) * 4 + zeros};

	for (int i = 0; i < Min(parts.count - 1, 3); i++)
		decimal.digits = decimal.digits * 10000 + parts.digits[i];
	decimal.digits = parts.count > 4 ? decimal.digits * 10000 + parts.digits[3] : decimal.digits;
	decimal.digits = decimal.digits * powers[4 - zeros] + without_zeros(parts.digits[parts.count - 1], zeros);
	return decimal;
}

static void
write_numeric(ByteBuffer *out, const char *datum)
{
	NumericParts parts = numeric_parts(datum);
	Decimal		decimal;
	unsigned	last;
	int			first_length;
	int			zeros;
	int			count;
	bool		plain;
	bool		shortest;

	if (!buffer_reserve(out, CANONICAL_NUMBER_SIZE))
		return;
	if (parts.count == 0)
	{
		/* numeric has no minus zero */
		buffer_append_char(out, '0');
		return;
	}
	last = parts.digits[parts.count - 1];
	if (parts.count > 5 || parts.digits[0] == 0 || last == 0)
	{
		/* numeric strips zeros at both ends, but nothing depends on it */
		write_long_numeric(out, parts);
		return;
	}

	/* Significant digits, counted without converting anything. */
	first_length = 1 + (parts.digits[0] >= 10) + (parts.digits[0] >= 100) + (parts.digits[0] >= 1000);
	zeros = zeros_of_four(last);
	count = first_length + (parts.count - 1) * 4 - zeros;
	plain = parts.weight >= -1 && parts.weight <= 4;
	if (count <= DECIMAL_SAFE_DIGITS && plain)
	{
		write_plain_numeric(out, parts, first_length, zeros);
		return;
	}
	if (count > 19)
	{
		write_long_numeric(out, parts);
		return;
	}
	decimal = numeric_decimal(parts, zeros);
	shortest = decimal_is_shortest(decimal.digits, decimal.exponent);
	if (shortest && plain)
		write_plain_numeric(out, parts, first_length, zeros);
	else
		write_decimal(out, parts, decimal, shortest);
}

/* Makes room for `needed` items; the first ones may have been part of the walk. */
static void *
grow(void *items, void *at_hand, uint32 used, uint32 needed, size_t size)
{
	void	   *grown;

	if (items != at_hand)
		return repalloc_huge(items, needed * size);
	grown = MemoryContextAllocHuge(CurrentMemoryContext, needed * size);
	memcpy(grown, items, used * size);
	return grown;
}

static void pg_noinline
grow_members(Walk *walk, uint32 needed)
{
	needed = Max(needed, walk->member_capacity * 2);
	walk->members = grow(walk->members, walk->members_at_hand, walk->member_count, needed, sizeof(Member));
	walk->member_capacity = needed;
}

static void pg_noinline
grow_names(Walk *walk, uint32 needed)
{
	needed = Max(needed, walk->name_capacity * 2);
	walk->names = grow(walk->names, walk->names_at_hand, 0, needed, sizeof(OrderedName));
	walk->scratch = grow(walk->scratch, walk->scratch_at_hand, 0, needed, sizeof(OrderedName));
	walk->offsets = grow(walk->offsets, walk->offsets_at_hand, 0, needed, sizeof(uint32));
	walk->name_capacity = needed;
}

static void pg_noinline
grow_frames(Walk *walk)
{
	uint32		needed = walk->frame_capacity * 2;

	walk->frames = grow(walk->frames, walk->frames_at_hand, walk->depth, needed, sizeof(Frame));
	walk->frame_capacity = needed;
}

/* Puts the members in canonical order onto the stack, behind their offsets in jsonb's order. */
static void
sort_members(Walk *walk, const Frame *frame, const JEntry *entries, Member *members, bool keep)
{
	uint32		count = frame->count;
	uint32		offset = 0;
	bool		ordered = true;

	if (count > walk->name_capacity)
		grow_names(walk, count);
	for (uint32 i = 0; i < count; i++)
	{
		uint32		start = offset;

		JBE_ADVANCE_OFFSET(offset, entries[i]);
		order_name(&walk->names[i], frame->data + start, offset - start, i);
		if (i > 0 && ordered)
			ordered = order_compare(&walk->names[i - 1], &walk->names[i]) < 0;
		walk->offsets[i] = members[i].offset;
	}
	if (!ordered)
		order_sort(walk->names, count, walk->scratch);
	for (uint32 i = 0; i < count; i++)
	{
		uint32		index = walk->names[i].index;

		members[i].name = walk->names[i].name;
		members[i].name_length = walk->names[i].length;
		members[i].entry = count + index;
		members[i].offset = walk->offsets[index];
	}
	if (keep)
	{
		uint8		order[SHAPE_NAMES];

		for (uint32 i = 0; i < count; i++)
			order[i] = walk->names[i].index;
		/* It serves from the next object on. */
		(void) shape_keep(walk->number, entries, count, frame->data, offset, order);
	}
}

/*
 * Puts the members of an object onto the stack.  In jsonb all names lie before
 * all values, in one sequence of entries.
 */
static void
push_members(Walk *walk, Frame *frame)
{
	const JEntry *entries = frame->container->children;
	uint32		count = frame->count;
	uint32		offset = 0;
	uint32		name_bytes;
	Member	   *members;
	bool		wanted;

	if (walk->member_count + count > walk->member_capacity)
		grow_members(walk, walk->member_count + count);
	frame->members = walk->member_count;
	members = walk->members + frame->members;
	walk->member_count += count;

	for (uint32 i = 0; i < count; i++)
		JBE_ADVANCE_OFFSET(offset, entries[i]);
	name_bytes = offset;
	for (uint32 i = 0; i < count; i++)
	{
		members[i].offset = offset;
		JBE_ADVANCE_OFFSET(offset, entries[count + i]);
	}
	frame->shape = shape_find(walk->number, entries, count, frame->data, name_bytes, &wanted);
	if (!frame->shape)
		sort_members(walk, frame, entries, members, wanted);
}

static void
open_container(Walk *walk, const JsonbContainer *container)
{
	Frame	   *frame;

	CHECK_FOR_INTERRUPTS();
	if (walk->depth >= (uint32) reason_max_canonical_depth)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("jsonb is nested deeper than %d levels", reason_max_canonical_depth)));
	if (walk->depth == walk->frame_capacity)
		grow_frames(walk);
	frame = &walk->frames[walk->depth++];
	frame->container = container;
	frame->count = JsonContainerSize(container);
	frame->done = 0;
	frame->offset = 0;
	frame->members = walk->member_count;
	frame->shape = NULL;
	frame->is_object = JsonContainerIsObject(container);
	if (frame->is_object)
	{
		frame->data = (const char *) &container->children[frame->count * 2];
		push_members(walk, frame);
		buffer_append_char(walk->out, '{');
	}
	else
	{
		frame->data = (const char *) &container->children[frame->count];
		buffer_append_char(walk->out, '[');
	}
}

static void
close_container(Walk *walk, const Frame *frame)
{
	buffer_append_char(walk->out, frame->is_object ? '}' : ']');
	walk->member_count = frame->members;
	walk->depth--;
}

static inline uint32
entry_length(JEntry entry, uint32 offset)
{
	return JBE_HAS_OFF(entry) ? JBE_OFFLENFLD(entry) - offset : JBE_OFFLENFLD(entry);
}

/* Writes a scalar; false if it is a container. */
static inline bool
write_scalar(ByteBuffer *out, JEntry entry, const char *data, uint32 offset)
{
	if (JBE_ISSTRING(entry))
		canonical_write_string(out, data + offset, entry_length(entry, offset));
	else if (JBE_ISNUMERIC(entry))
		write_numeric(out, data + INTALIGN(offset));
	else if (JBE_ISBOOL_TRUE(entry))
		buffer_append_literal(out, "true");
	else if (JBE_ISBOOL_FALSE(entry))
		buffer_append_literal(out, "false");
	else if (JBE_ISNULL(entry))
		buffer_append_literal(out, "null");
	else
		return false;
	return true;
}

static inline void
flush_if_full(Walk *walk)
{
	if (unlikely(walk->out->length >= walk->flush_at))
		walk->flush(walk->flush_context, walk->out);
}

/* Writes elements up to the next container, which is returned; NULL at the end of the array. */
static const JsonbContainer *
write_elements(Walk *walk, Frame *frame)
{
	ByteBuffer *out = walk->out;
	const JEntry *entries = frame->container->children;

	while (frame->done < frame->count)
	{
		JEntry		entry = entries[frame->done];
		uint32		offset = frame->offset;

		JBE_ADVANCE_OFFSET(frame->offset, entry);
		if (frame->done++ > 0)
			buffer_append_char(out, ',');
		if (!write_scalar(out, entry, frame->data, offset))
			return (const JsonbContainer *) (frame->data + INTALIGN(offset));
		flush_if_full(walk);
	}
	return NULL;
}

/* The same for members. */
static const JsonbContainer *
write_members(Walk *walk, Frame *frame)
{
	ByteBuffer *out = walk->out;
	const Member *members = walk->members + frame->members;
	const JEntry *entries = frame->container->children;
	const ObjectShape *shape = frame->shape;

	while (frame->done < frame->count)
	{
		uint32		place = frame->done++;
		JEntry		entry;
		uint32		offset;

		if (shape)
		{
			buffer_append(out, shape->text + shape->start[place], shape->start[place + 1] - shape->start[place]);
			entry = entries[frame->count + shape->order[place]];
			offset = members[shape->order[place]].offset;
		}
		else
		{
			if (place > 0)
				buffer_append_char(out, ',');
			canonical_write_string(out, members[place].name, members[place].name_length);
			buffer_append_char(out, ':');
			entry = entries[members[place].entry];
			offset = members[place].offset;
		}
		if (!write_scalar(out, entry, frame->data, offset))
			return (const JsonbContainer *) (frame->data + INTALIGN(offset));
		flush_if_full(walk);
	}
	return NULL;
}

void
canonical_write_jsonb(ByteBuffer *out, Jsonb *jsonb)
{
	canonical_stream_jsonb(out, jsonb, SIZE_MAX, NULL, NULL);
}

void
canonical_stream_jsonb(ByteBuffer *out, Jsonb *jsonb, size_t flush_at, CanonicalFlush flush, void *context)
{
	static uint64 walks = 0;
	const JsonbContainer *container = &jsonb->root;
	Walk		walk;

	if (JsonContainerIsScalar(container))
	{
		/* A scalar is kept as an array of one. */
		(void) write_scalar(out, container->children[0], (const char *) &container->children[1], 0);
		return;
	}

	walk.out = out;
	walk.flush_at = flush_at;
	walk.flush = flush;
	walk.flush_context = context;
	walk.number = ++walks;
	walk.frames = walk.frames_at_hand;
	walk.depth = 0;
	walk.frame_capacity = FRAMES_AT_HAND;
	walk.members = walk.members_at_hand;
	walk.member_count = 0;
	walk.member_capacity = MEMBERS_AT_HAND;
	walk.names = walk.names_at_hand;
	walk.scratch = walk.scratch_at_hand;
	walk.offsets = walk.offsets_at_hand;
	walk.name_capacity = NAMES_AT_HAND;

	open_container(&walk, container);
	while (walk.depth > 0)
	{
		Frame	   *frame = &walk.frames[walk.depth - 1];

		if (frame->is_object)
			container = write_members(&walk, frame);
		else
			container = write_elements(&walk, frame);
		if (container)
			open_container(&walk, container);
		else
			close_container(&walk, frame);
	}
}
