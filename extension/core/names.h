/*
 * names.h
 *		Which names divisions, signers and people may have, and whose types of events are.
 *
 * The one rule for each, wherever a name comes in: SQL, HTTP, the sidecar's
 * configuration, what an archive lists and Kafka holds, what the verifier is
 * given.
 */
#ifndef REASON_CORE_NAMES_H
#define REASON_CORE_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#define DIVISION_NAME_LENGTH 63
#define DIVISION_NAME_RULE "letters, digits, \"-\", \"_\" and \".\", at most 63 of them, beginning with a letter or digit, without two dots in a row"

/*
 * A name becomes a folder of objects, the key of messages and a part of
 * addresses, so that it must mean the same in all of them: as
 * DIVISION_NAME_RULE says, in ASCII.
 */
extern bool division_name_is_valid(const char *name, size_t length);

/*
 * Whether events of a type belong into the chain of division "system" alone:
 * those that change rules, and those of the safe mode.  Approvals are asked for
 * there, so that one elsewhere would be none that anybody agreed to.  As
 * is_system_event() of sql/rule.sql has it.
 */
extern bool event_type_is_of_system(const char *type, size_t length);

#define SIGNER_ID_LENGTH 200
#define SIGNER_ID_RULE "letters, digits, \"-\", \"_\", \".\", \":\", \"/\" and \"@\", at most 200 of them, beginning with a letter or digit"

/* It stands in header lines of stores and in files that people compare by eye: as SIGNER_ID_RULE says, in ASCII. */
extern bool signer_id_is_valid(const char *id, size_t length);

/*
 * What is wrong with a name that people read: of an author, a client, a type
 * of annotation.  It begins and ends with what can be seen and holds nothing
 * that cannot, so that two names that look alike are not told apart by that
 * alone, and no name changes how the line around it is shown.  Joiners, which
 * scripts and emoji need, may stand inside.  NULL: nothing; else what to say
 * after the name of the field.  The text is UTF-8.
 */
extern const char *label_fault(const char *name, size_t length);

#endif							/* REASON_CORE_NAMES_H */
