/*
 * jsonb.c
 *		Canonical JSON straight from the binary form of jsonb.
 *
 * JsonbIterator copies every key and value into a JsonbValue and visits members
 * in jsonb's own order (length, then bytes).  Here the containers are walked
 * where they lie (utils/jsonb.h describes their layout), the names are put into
 * canonical order, and numbers are read from numeric's digits (canonical/numeric.h).  There is no
 * recursion: open containers are frames of an array.
 */

#include "canonical/jsonb.h"

#include "canonical/backend.h"
#include "canonical/numeric.h"
#include "canonical/shape.h"
#include "core/canonical.h"
#include "core/name_order.h"

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
		canonical_write_numeric(out, data + INTALIGN(offset));
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
