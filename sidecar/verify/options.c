/*
 * The command line of reason-verify.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/decimal.h"
#include "options.h"

static const char usage[] =
    "Usage: reason-verify [OPTION]... OBJECT...\n"
    "Checks snapshots, audit records, proofs and logs of a reasoning graph against a registry of signers.\n"
    "\n"
    "  -r, --registry FILE     the registry of signers (default: $REASON_SIGNERS)\n"
    "  -m, --metadata FILE     metadata of the snapshot (default: that of the S3 object, or\n"
    "                          OBJECT.meta.json, if there)\n"
    "      --hash HEX          the same by hand: SHA-256 of the object,\n"
    "      --signature BASE64  its signature,\n"
    "      --signer-id ID      whose it is,\n"
    "      --signed-at TIME    and when it was made (RFC 3339)\n"
    "  -t, --type TYPE         snapshot, envelope, audit, proof or log (default: seen from the content)\n"
    "  -p, --policy FILE       which logs and witnesses count (tlog-policy)\n"
    "  -c, --checkpoint OLD    a checkpoint from before: what is given must extend it. A file, or by hand\n"
    "                          ORIGIN SIZE ROOT\n"
    "      --consistency FILE  hashes that prove it, where the log itself is not given\n"
    "      --refuse-revoked    let no signature of a revoked key count, whenever it was made\n"
    "      --cert FILE         certificate to ask servers with, in PEM,\n"
    "      --key FILE          its key,\n"
    "      --cacert FILE       and the authorities that servers are known by\n"
    "      --page FILE         write the snapshot as a page that shows it, and verifies it in any browser\n"
    "      --page-proof FILE   put this proof of the log into it, of the event that completed the snapshot\n"
    "      --json              print for machines: one JSON document a line and object\n"
    "  -q, --quiet             print only what is wrong, and the verdict\n"
    "  -h, --help              print this\n"
    "      --version           print the version\n"
    "\n"
    "OBJECT is a file, a URL (file, http, https, or s3://BUCKET/KEY[?versionId=ID]), or - for standard\n"
    "input: the canonical file of a snapshot, an envelope, segments of the audit archive in order, a proof\n"
    "(.tlog-proof), or a signed checkpoint. A folder, or a URL that ends in a slash, is a log of tiles.\n"
    "S3: AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN.\n"
    "Exit status: 0 verified, 1 refused, 2 could not be checked.\n";

enum { OPTION_HASH = 256, OPTION_SIGNATURE, OPTION_SIGNER_ID, OPTION_SIGNED_AT, OPTION_REFUSE_REVOKED, OPTION_JSON,
       OPTION_CONSISTENCY, OPTION_CERT, OPTION_KEY, OPTION_CACERT, OPTION_PAGE, OPTION_PAGE_PROOF, OPTION_VERSION };

static const struct option long_options[] = {
    {"registry", required_argument, NULL, 'r'},
    {"metadata", required_argument, NULL, 'm'},
    {"hash", required_argument, NULL, OPTION_HASH},
    {"signature", required_argument, NULL, OPTION_SIGNATURE},
    {"signer-id", required_argument, NULL, OPTION_SIGNER_ID},
    {"signed-at", required_argument, NULL, OPTION_SIGNED_AT},
    {"type", required_argument, NULL, 't'},
    {"policy", required_argument, NULL, 'p'},
    {"checkpoint", required_argument, NULL, 'c'},
    {"consistency", required_argument, NULL, OPTION_CONSISTENCY},
    {"cert", required_argument, NULL, OPTION_CERT},
    {"key", required_argument, NULL, OPTION_KEY},
    {"cacert", required_argument, NULL, OPTION_CACERT},
    {"page", required_argument, NULL, OPTION_PAGE},
    {"page-proof", required_argument, NULL, OPTION_PAGE_PROOF},
    {"refuse-revoked", no_argument, NULL, OPTION_REFUSE_REVOKED},
    {"json", no_argument, NULL, OPTION_JSON},
    {"quiet", no_argument, NULL, 'q'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, OPTION_VERSION},
    {NULL, 0, NULL, 0},
};

static Bytes bytes_of(const char *text)
{
    return (Bytes){text, strlen(text)};
}

void give_up(const char *what, const char *why)
{
    fputs("reason-verify: ", stderr);
    safe_text_print(stderr, what);
    fputs(why ? ": " : "", stderr);
    safe_text_print(stderr, why ? why : "");
    fputc('\n', stderr);
    exit(VERDICT_UNCHECKED);
}

/* A checkpoint in three arguments: origin, a decimal, and 32 bytes in Base 64 or hexadecimal. */
static bool is_by_hand(int argc, char **argv, int next)
{
    uint64_t size;
    uint8_t root[SHA256_LENGTH];

    return next + 1 < argc && decimal_read(argv[next], strlen(argv[next]), &size)
           && (decode_base64(bytes_of(argv[next + 1]), root, sizeof(root)) || decode_hex(bytes_of(argv[next + 1]), root, sizeof(root)));
}

static void take_checkpoint(Options *options, int argc, char **argv)
{
    if (options->noted_path || options->noted_by_hand[0])
        give_up("--checkpoint is given twice", NULL);
    if (!is_by_hand(argc, argv, optind)) {
        options->noted_path = optarg;
        return;
    }
    options->noted_by_hand[0] = optarg;
    options->noted_by_hand[1] = argv[optind++];
    options->noted_by_hand[2] = argv[optind++];
}

static void check_options(Options *options, int argc)
{
    static const char *const types[] = {"auto", "snapshot", "envelope", "audit", "proof", "log"};
    bool known = false;

    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
        known = known || strcmp(options->type, types[i]) == 0;
    if (options->first_object == argc)
        give_up("no object given", "see reason-verify --help");
    if (options->registry_path && !*options->registry_path)
        options->registry_path = NULL;
    if (!options->registry_path && !options->policy_path)
        give_up("no registry of signers given", "use --registry FILE or set REASON_SIGNERS");
    if (options->consistency_path && !options->noted_path && !options->noted_by_hand[0])
        give_up("--consistency is given without --checkpoint", NULL);
    if (options->page_path && (options->first_object + 1 != argc || !options->registry_path))
        give_up("a page is of one snapshot, with the registry of signers", NULL);
    if (options->page_proof_path && !options->page_path)
        give_up("--page-proof is given without --page", NULL);
    if (!known)
        give_up("unknown type", options->type);
}

void options_read(Options *options, int argc, char **argv)
{
    int option;

    memset(options, 0, sizeof(*options));
    options->registry_path = getenv("REASON_SIGNERS");
    options->type = "auto";
    /* A name that a shell made of a file would be printed as it is. */
    opterr = 0;
    while ((option = getopt_long(argc, argv, "r:m:t:p:c:qh", long_options, NULL)) != -1) {
        switch (option) {
        case 'r':
            options->registry_path = optarg;
            break;
        case 'm':
            options->metadata_path = optarg;
            break;
        case 't':
            options->type = optarg;
            break;
        case 'p':
            options->policy_path = optarg;
            break;
        case 'c':
            take_checkpoint(options, argc, argv);
            break;
        case OPTION_CONSISTENCY:
            options->consistency_path = optarg;
            break;
        case OPTION_CERT:
            options->certificate = optarg;
            break;
        case OPTION_KEY:
            options->key = optarg;
            break;
        case OPTION_CACERT:
            options->authorities = optarg;
            break;
        case 'q':
            options->quiet = true;
            break;
        case OPTION_HASH:
            options->claims.hash = bytes_of(optarg);
            break;
        case OPTION_SIGNATURE:
            options->claims.signature = bytes_of(optarg);
            break;
        case OPTION_SIGNER_ID:
            options->claims.signer_id = bytes_of(optarg);
            break;
        case OPTION_SIGNED_AT:
            options->claims.ts = bytes_of(optarg);
            break;
        case OPTION_REFUSE_REVOKED:
            options->refuse_revoked = true;
            break;
        case OPTION_PAGE:
            options->page_path = optarg;
            break;
        case OPTION_PAGE_PROOF:
            options->page_proof_path = optarg;
            break;
        case OPTION_JSON:
            options->json = true;
            break;
        case OPTION_VERSION:
            puts("reason-verify " REASON_VERSION);
            exit(0);
        case 'h':
            fputs(usage, stdout);
            exit(0);
        default:
            fputs(usage, stderr);
            give_up("no such option, or one without its argument", optopt ? NULL : argv[optind - 1]);
        }
    }
    options->first_object = optind;
    check_options(options, argc);
}
