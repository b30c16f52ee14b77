/*
 * checkpoint.c
 *		Checkpoints of a log.
 */
#include "core/checkpoint.h"

#include "core/base64.h"
#include "core/decimal.h"

const char *
checkpoint_parse(Checkpoint *checkpoint, const char *text, size_t length)
{
	const char *at = text;
	const char *end;
	NoteText	size;
	NoteText	root;
	NoteText	line;
	size_t		root_length;

	memset(checkpoint, 0, sizeof(*checkpoint));
	if (length == 0)
		return "the checkpoint is empty";
	end = text + length;
	if (!note_next_line(&at, end, &checkpoint->origin) || !note_next_line(&at, end, &size) ||
		!note_next_line(&at, end, &root))
		return "a checkpoint has at least three lines";
	if (checkpoint->origin.length == 0)
		return "the checkpoint has no origin";
	if (!decimal_read(size.data, size.length, &checkpoint->size))
		return "the checkpoint's size is no decimal without leading zeros, or exceeds 2^63 - 1";
	if (!base64_decoded_length(root.data, root.length, &root_length) || root_length != SHA256_LENGTH ||
		!base64_decode(root.data, root.length, checkpoint->root, SHA256_LENGTH))
		return "the checkpoint's root is not 32 bytes in Base 64";
	while (note_next_line(&at, end, &line))
	{
		if (line.length == 0)
			return "the checkpoint has an empty line";
		checkpoint->has_extensions = true;
	}
	return at == end ? NULL : "the checkpoint does not end in a newline";
}

void
checkpoint_text(ByteBuffer *out, const char *origin, size_t origin_length, uint64_t size,
				const uint8_t root[SHA256_LENGTH])
{
	buffer_append(out, origin, origin_length);
	buffer_append_char(out, '\n');
	decimal_append(out, size);
	buffer_append_char(out, '\n');
	base64_append(out, root, SHA256_LENGTH);
	buffer_append_char(out, '\n');
}

void
checkpoint_origin(ByteBuffer *out, const char *prefix, const char *division, size_t division_length, uint32_t epoch)
{
	buffer_append(out, prefix, strlen(prefix));
	buffer_append_char(out, '/');
	buffer_append(out, division, division_length);
	if (epoch > 1)
	{
		buffer_append_char(out, ';');
		decimal_append(out, epoch);
	}
}
