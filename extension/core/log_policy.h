/*
 * log_policy.h
 *		Which logs are known, and which witnesses must have seen a checkpoint:
 *		https://c2sp.org/tlog-policy
 *
 * What was parsed points into the policy's text.
 */
#ifndef REASON_CORE_LOG_POLICY_H
#define REASON_CORE_LOG_POLICY_H

#include "core/checkpoint.h"

/* The specification recommends at least 32 of each. */
#define POLICY_LOGS_MOST 64
#define POLICY_ENTRIES_MOST 256
#define POLICY_BYTES_MOST (1 << 20)

typedef struct PolicyLog
{
	NoteKey		key;			/* its name is the log's origin */
	NoteText	url;			/* data NULL: none */
} PolicyLog;

/* A witness or a group, in the order of their lines: a group stands after its members. */
typedef struct PolicyEntry
{
	NoteText	name;
	bool		is_group;
	NoteKey		key;			/* of a witness */
	NoteText	url;			/* of a witness; data NULL: none */
	size_t		least;			/* of a group: so many members must have witnessed */
	int			group;			/* that it is a member of; -1: none */
} PolicyEntry;

typedef struct LogPolicy
{
	size_t		log_count;
	PolicyLog	logs[POLICY_LOGS_MOST];
	size_t		entry_count;
	PolicyEntry entries[POLICY_ENTRIES_MOST];
	int			quorum;			/* an entry; -1: no cosignature is asked for */
} LogPolicy;

/* NULL, or what is wrong, and in which line, from 1. */
extern const char *log_policy_parse(LogPolicy *policy, const char *text, size_t length, size_t *line);

/* What a policy says of a signed checkpoint. */
typedef struct PolicyVerdict
{
	const PolicyLog *log;		/* that signed it under its origin; NULL: none */
	NoteText	forged;			/* name of a known key whose line does not verify: nothing else counts then; data NULL: none */
	bool		quorum;			/* witnesses enough, or none are asked for */
	size_t		witness_count;	/* whose cosignatures verify */
	bool		witnessed[POLICY_ENTRIES_MOST];
	uint64_t	timestamps[POLICY_ENTRIES_MOST];	/* of witnesses that did; seconds since 1970 */
} PolicyVerdict;

/* `checkpoint` is the note's text, parsed. */
extern void log_policy_judge(const LogPolicy *policy, const SignedNote *note, const Checkpoint *checkpoint,
							 Ed25519Verify verify, PolicyVerdict *verdict);

#endif							/* REASON_CORE_LOG_POLICY_H */
