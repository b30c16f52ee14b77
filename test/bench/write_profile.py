"""Where the time of a write over HTTPS goes: samples of perf, told apart by the functions on their stacks."""

import collections
import re
import subprocess
import tempfile

# The first line whose function is on a sample's stack is what it counts for; within a part, from the inside out.
WHAT = {
    "nginx": (
        ("TLS", r"^(SSL_|ssl3_|tls1?_|EVP_|aes|gcm_|CRYPTO_|BIO_)"),
        ("libpq", r"^(PQ|pq[A-Z])"),
        ("module: request and answer", r"^reason_|^ngx_http_reason"),
        ("HTTP", r"^ngx_http_"),
        ("events", r"^ngx_"),
        ("kernel", r"^(do_syscall|entry_SYSCALL|syscall_)"),
    ),
    "backends": (
        ("commit", r"^(CommitTransactionCommand|CommitTransaction)$"),
        ("check constraints", r"^(ExecConstraints|table_checks_provide)$"),
        ("into indexes", r"^ExecInsertIndexTuples$"),
        ("into tables", r"^(record_insert_|heap_multi_insert)"),
        ("reading and writing JSON, digests", r"^(json_|read_node|read_edge|canonical_|event_write|record_write|jsonb_in|sha256_|write_input_read)"),
        ("numbers and times", r"^next_record_"),
        ("who asks", r"^client_of_certificate$"),
        ("other work of the write", r"^post$"),
        ("starting and ending the function", r"^fmgr_security_definer$"),
        ("starting and running the statement", r"^(PortalStart|PortalRun|GetCachedPlan|PortalDrop)$"),
        ("reading from the gateway", r"^(pq_getbyte|pq_getmessage|secure_read|pq_startmsgread)$"),
        ("writing to the gateway", r"^(__send|secure_write|internal_flush|pq_)"),
        ("starting the transaction", r"^StartTransactionCommand$"),
        ("other", r""),
    ),
    "sealing": (
        ("verifying signatures (libsodium)", r"^(crypto_sign|_crypto_sign|ge25519|fe25519|sc25519|crypto_|sodium)|libsodium"),
        ("seal_events()", r"^(reason_seal_events|seal_)"),
        ("record_seal_signatures()", r"^(reason_record_seal|reason_ed25519)"),
        ("growing the tree", r"^(reason_grow_tree|grow)"),
        ("planning", r"^(pg_plan_quer|planner|standard_planner)"),
        ("commit", r"^(CommitTransactionCommand|CommitTransaction)$"),
        ("other SQL", r"^PortalRun$"),
        ("other", r""),
    ),
    "sidecar": (
        ("signing (libsodium)", r"^(crypto_sign|_crypto_sign|ge25519|fe25519|sc25519|crypto_|sodium)|libsodium"),
        ("libpq", r"^(PQ|pq[A-Z])"),
        ("other", r""),
    ),
    "server": (("all", r""),),
}


def samples(recording):
    """(process, functions from the innermost out) of each sample."""
    output = subprocess.run(["perf", "script", "-i", recording, "-F", "pid,ip,sym,dso"], check=True, capture_output=True, text=True).stdout
    for block in output.split("\n\n"):
        lines = [line.strip() for line in block.strip().split("\n")]
        if lines and lines[0].isdigit():
            frames = [re.match(r"[0-9a-f]+ (\S+) \((.*)\)", line) for line in lines[1:]]
            yield int(lines[0]), [f"{frame.group(1)}" if "libsodium" not in frame.group(2) else "libsodium" for frame in frames if frame]


def what_of(part, functions):
    for what, pattern in WHAT[part]:
        if any(re.search(pattern, function) for function in functions) or pattern == "":
            return what
    return "other"


def print_profile(tree, connections, seconds):
    processes = tree.processes()
    counts = collections.Counter()
    with tempfile.NamedTemporaryFile(suffix=".perf") as recording:
        with subprocess.Popen(["perf", "record", "-q", "-e", "cpu-clock", "-F", "2000", "-g", "-o", recording.name,
                               "-p", ",".join(map(str, processes))], stderr=subprocess.DEVNULL) as perf:
            _, costs = tree.round(connections, seconds)
            perf.terminate()
        for pid, functions in samples(recording.name):
            if pid in processes:
                counts[processes[pid], what_of(processes[pid], functions)] += 1
    print(f"\nWhere it goes, {connections} connections: microseconds a record, by the samples of perf (which itself takes some)")
    for part, lines in WHAT.items():
        total = sum(count for (of, _), count in counts.items() if of == part)
        print(f"  {part:45} {costs[part]:6.0f}")
        for what in dict.fromkeys([what for what, _ in lines] + ["other"]):
            if counts[part, what]:
                print(f"      {what:41} {costs[part] * counts[part, what] / total:6.0f}")
