#!/usr/bin/env bash
# The chart: every alert has its runbook and names metrics that exist; where helm can be had, it lints and renders.
#
# Ends with "N passed, N failed".
set -uo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root" || exit 1
chart=charts/reasoning-graph
passed=0
failed=0
check() {
    local name=$1
    shift
    if "$@"; then passed=$((passed + 1)); else
        echo "failed: $name"
        failed=$((failed + 1))
    fi
}

runbooks_exist() {
    local alert ok=0
    while read -r alert; do
        [ -f "docs/for-operators/runbooks/$alert.md" ] || {
            echo "no runbook for $alert"
            ok=1
        }
    done < <(sed -n 's/.*- alert: *//p' $chart/files/alerts.yaml)
    return $ok
}
metrics_exist() {
    local metric ok=0
    while read -r metric; do
        grep -rqF "$metric" gateway/module sidecar --include='*.c' || {
            echo "no metric $metric"
            ok=1
        }
    done < <(grep -Eo 'reason_(gateway|sidecar)_[a-z_]+' $chart/files/alerts.yaml | sort -u)
    return $ok
}
check "every alert has a runbook" runbooks_exist
check "alerts name metrics that exist" metrics_exist

if ! helm=$(test/stack/helm.sh); then
    echo "the chart is not rendered"
    echo "$passed passed, $failed failed"
    exit $((failed > 0))
fi

values=(--set sidecar.config.signer.id=s --set sidecar.config.store.url=s3://b/p)
full=("${values[@]}" --set gateway.autoscaling.enabled=true --set serviceMonitor.enabled=true --set prometheusRule.enabled=true
    --set 'sidecar.secretMounts[0].name=hsm' --set 'sidecar.secretMounts[0].mountPath=/etc/reason/hsm'
    --set 'networkPolicy.sidecarEgress[0].port=443' --set sidecar.lease.enabled=true
    --set 'database.readConninfo=host=reason-db-ro dbname=reason'
    --set gateway.revocationList=true --set gateway.sentinelNet.server=policy.example:8443 --set gateway.sentinelNet.tlsSecret=policy)
rendered=$(mktemp)
trap 'rm -f "$rendered"' EXIT
# The links to gateway/ are meant, and helm need not say so each time.
run_helm() { "$helm" "$@" 2> >(grep -v 'found symbolic link' >&2); }
lint() { run_helm lint --quiet $chart "${full[@]}"; }
render() { run_helm template reason $chart --kube-version 1.30.0 "$@" >"$rendered"; }
refuses() { ! "$helm" template reason $chart --kube-version 1.30.0 "$@" >/dev/null 2>&1; }
has_no_placeholder() { ! grep -n '@[A-Z_]*@' "$rendered"; }
check "lint" lint
check "renders with the least values" render "${values[@]}"
check "leaves no placeholder" has_no_placeholder
check "takes witnesses" render "${values[@]}" --set 'sidecar.config.witness theirs.url=https://w.example' --set 'sidecar.config.witness theirs.vkey=w.example+00000000+AAAA'
check "gives each witness its section" grep -q '\[witness theirs\]' "$rendered"
check "refuses a witness without a key" refuses "${values[@]}" --set 'sidecar.config.witness theirs.url=https://w.example'
check "renders with the least values again" render "${values[@]}"
check "without standbys the primary answers all" test "$(grep -c 'reason_pass reads;' "$rendered")" -eq 0
check "renders with everything on" render "${full[@]}"
check "leaves no placeholder then either" has_no_placeholder
# every route that the files of gateway/ send to @READS@, and the upstream itself
reads=$(($(cat gateway/conf.d/routes.conf.in gateway/nginx.conf.in | grep -c 'reason_pass @READS@;') + 1))
check "reads go to standbys that are named" test "$(grep -c -e 'reason_pass reads;' -e 'server "host=reason-db-ro dbname=reason target_session_attrs=prefer-standby' "$rendered")" -eq "$reads"
check "revoked certificates are looked up" grep -q 'ssl_crl /etc/reason/tls/crl.pem;' "$rendered"
check "asks the policy service under the name it was given" grep -q 'proxy_ssl_name policy.example;' "$rendered"
check "every container runs without root, capabilities or a writable root" \
    test "$(grep -c 'readOnlyRootFilesystem: true' "$rendered")" -eq "$(grep -c 'image: reasoning-graph/' "$rendered")"
check "every password is a reference to a Secret" test "$(grep -c 'name: PGPASSWORD' "$rendered")" -eq "$(grep -c 'key: password' "$rendered")"
check "with a Lease comes the token of an account that may only use it" \
    test "$(grep -c -e 'automountServiceAccountToken: true' -e 'serviceAccountName: reason-sidecar' -e 'verbs: \[get, update\]' "$rendered")" -eq 3
check "renders without a Lease" render "${values[@]}"
check "without a Lease no pod has a token" test "$(grep -c -e 'automountServiceAccountToken: true' -e 'kind: Role' "$rendered")" -eq 0
check "a signer must be named" refuses --set sidecar.config.store.url=s3://b/p
check "a policy service needs a certificate to be shown" refuses "${values[@]}" --set gateway.sentinelNet.server=policy.example:8443
check "a password in conninfo is refused" refuses "${values[@]}" --set 'database.conninfo=host=db password=x'
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
