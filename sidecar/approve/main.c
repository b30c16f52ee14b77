/*
 * reason-approve: shows a proposal, and signs it with an approver's key, from a file or in a token.
 */
#include "approve/proposal.h"
#include "base/log.h"
#include "core/base64.h"
#include "signer/signer.h"

#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "Usage: reason-approve [OPTION]... PROPOSAL\n"
    "Shows what a proposal would change, and signs it with an approver's key.\n"
    "\n"
    "  -k, --key-file FILE     the key: Ed25519 in PEM (PKCS#8), or its 32 bytes; mode 0600 or 0400\n"
    "  -m, --module FILE       or one in a token: the PKCS#11 library,\n"
    "  -t, --token LABEL       the token,\n"
    "  -l, --key-label LABEL   the key's label,\n"
    "  -i, --key-id HEX        or its id,\n"
    "  -p, --pin-file FILE     and a file with the PIN\n"
    "  -P, --public-key        print the public key, to be registered with reason.add_approver(), and end\n"
    "  -s, --show              show the proposal, and sign nothing\n"
    "  -y, --yes               sign without asking\n"
    "  -h, --help              print this\n"
    "      --version           print the version\n"
    "\n"
    "PROPOSAL is a file with what reason.proposal_text() gave, or - for standard input. What it says is printed\n"
    "to standard error, the signature in base64 to standard output: hand it in with reason.approve().\n"
    "Exit status: 0 signed or shown, 1 not signed, 2 it could not be done.\n";

enum { DONE = 0, NOT_SIGNED = 1, FAILED = 2 };

struct options {
    struct signer_config signer;
    bool public_key, show, yes;
};

static const struct option long_options[] = {
    {"key-file", required_argument, NULL, 'k'},
    {"module", required_argument, NULL, 'm'},
    {"token", required_argument, NULL, 't'},
    {"key-label", required_argument, NULL, 'l'},
    {"key-id", required_argument, NULL, 'i'},
    {"pin-file", required_argument, NULL, 'p'},
    {"public-key", no_argument, NULL, 'P'},
    {"show", no_argument, NULL, 's'},
    {"yes", no_argument, NULL, 'y'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

static void give_up(const char *why)
{
    fprintf(stderr, "reason-approve: %s\n", why);
    exit(FAILED);
}

static void read_options(struct options *options, int argc, char **argv)
{
    static char none[] = "";
    struct signer_config *signer = &options->signer;
    int option;

    *signer = (struct signer_config){.key_file = none, .module = none, .token = none, .key_label = none, .key_id = none, .pin_file = none,
                                     .timeout_ms = 30000};
    opterr = 0;
    while ((option = getopt_long(argc, argv, "k:m:t:l:i:p:Psyh", long_options, NULL)) != -1) {
        switch (option) {
        case 'k':
            signer->key_file = optarg;
            break;
        case 'm':
            signer->module = optarg;
            break;
        case 't':
            signer->token = optarg;
            break;
        case 'l':
            signer->key_label = optarg;
            break;
        case 'i':
            signer->key_id = optarg;
            break;
        case 'p':
            signer->pin_file = optarg;
            break;
        case 'P':
            options->public_key = true;
            break;
        case 's':
            options->show = true;
            break;
        case 'y':
            options->yes = true;
            break;
        case 'h':
            fputs(usage, stdout);
            exit(DONE);
        case 'V':
            puts("reason-approve " REASON_VERSION);
            exit(DONE);
        default:
            give_up("no such option, or one without its argument; see reason-approve --help");
        }
    }
    if (optind + !options->public_key != argc)
        give_up(options->public_key ? "--public-key takes no proposal" : "give one proposal; see reason-approve --help");
    if (!options->show && !*signer->key_file == !*signer->module)
        give_up("give a key: --key-file, or --module with --token, --key-label and --pin-file");
    if (*signer->module && (!*signer->token || !*signer->pin_file || (!*signer->key_label && !*signer->key_id)))
        give_up("a key in a token needs --token, --pin-file, and --key-label or --key-id");
}

static struct signer *open_key(const struct options *options)
{
    struct signer *signer = *options->signer.module ? signer_pkcs11_open(&options->signer) : signer_local_open(&options->signer);

    if (!signer)
        exit(FAILED);
    return signer;
}

static void print_base64(const void *bytes, size_t length)
{
    ByteBuffer out;

    buffer_init(&out, NULL, NULL);
    base64_append(&out, bytes, length);
    buffer_append_char(&out, '\n');
    fwrite(out.data, 1, out.length, stdout);
    buffer_free(&out);
}

static void print_public_key(const struct signer *signer)
{
    /* RFC 8410, section 4 */
    uint8_t spki[12 + PUBLIC_KEY_LENGTH] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};

    memcpy(spki + 12, signer->public_key, PUBLIC_KEY_LENGTH);
    print_base64(spki, sizeof(spki));
}

/* The answer comes from the terminal, because standard input may be the proposal. */
static bool agreed(void)
{
    char answer[8] = "";
    FILE *terminal = fopen("/dev/tty", "r+");

    if (!terminal)
        give_up("there is no terminal to ask at; read what it says above, and use --yes");
    fputs("Sign this? Type yes: ", terminal);
    fflush(terminal);
    if (!fgets(answer, sizeof(answer), terminal))
        answer[0] = '\0';
    fclose(terminal);
    return strcmp(answer, "yes\n") == 0;
}

static int sign(const struct options *options, const struct proposal *proposal)
{
    struct signer *signer;
    uint8_t signature[SIGNATURE_LENGTH];
    bool signed_it;

    if (!options->yes && !agreed()) {
        fputs("reason-approve: not signed\n", stderr);
        return NOT_SIGNED;
    }
    signer = open_key(options);
    /* No hash, which is what signers of events sign. */
    signed_it = proposal->length > DIGEST_LENGTH && signer->sign_message(signer, (const uint8_t *)proposal->text, proposal->length, signature)
                && crypto_sign_verify_detached(signature, (const uint8_t *)proposal->text, proposal->length, signer->public_key) == 0;
    if (signed_it)
        print_base64(signature, sizeof(signature));
    signer->close(signer);
    return signed_it ? DONE : FAILED;
}

int main(int argc, char **argv)
{
    struct options options = {0};
    struct proposal proposal;
    int status = DONE;

    read_options(&options, argc, argv);
    /* The warning that a key in a file is for development is meant for signers of the service. */
    log_configure("error", "text");
    if (sodium_init() < 0)
        give_up("libsodium cannot be used");
    if (options.public_key) {
        struct signer *signer = open_key(&options);

        print_public_key(signer);
        signer->close(signer);
    } else {
        if (!proposal_read(&proposal, argv[optind])) {
            proposal_free(&proposal);
            return FAILED;
        }
        proposal_show(&proposal, stderr);
        if (!options.show)
            status = sign(&options, &proposal);
        proposal_free(&proposal);
    }
    if (fflush(stdout) != 0 || ferror(stdout))
        give_up("cannot write the result");
    return status;
}
