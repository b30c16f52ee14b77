{{- define "reason.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{/* Of every pod of the release. Pods of a trial count as those of the release that runs: its Service finds them. (root) */}}
{{- define "reason.ofRelease" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Values.canary.of | default .Release.Name }}
{{- if .Values.canary.of }}
reason/track: trial
{{- end }}
{{- end -}}

{{/* (list root component) */}}
{{- define "reason.selector" -}}
{{ include "reason.ofRelease" (index . 0) }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* The gateway's pods of the release that runs, from a trial. (root) */}}
{{- define "reason.peer" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Values.canary.of }}
app.kubernetes.io/component: gateway
reason/track: stable
{{- end -}}

{{/* "true" where a Lease says who tries to lead. A sidecar on trial claims what it leads. (root) */}}
{{- define "reason.lease" -}}
{{- if and .Values.sidecar.lease.enabled (not .Values.canary.of) -}}
true
{{- end -}}
{{- end -}}

{{- define "reason.name" -}}
{{ (index . 0).Release.Name }}-{{ index . 1 }}
{{- end -}}

{{/* (list root image) */}}
{{- define "reason.image" -}}
{{- $image := index . 1 -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag | default (index . 0).Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "reason.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "reason.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* Which account a component's pods have, if not the namespace's own; the sidecar needs one for the Lease. (list root component) */}}
{{- define "reason.account" -}}
{{- $root := index . 0 -}}
{{- $account := (index $root.Values (index . 1)).serviceAccount -}}
{{- if $account.name -}}
{{ $account.name }}
{{- else if and $root.Values.canary.of $account.create -}}
{{- /* that of the release that runs, which others may know by its name */ -}}
{{ printf "%s-%s" $root.Values.canary.of (index . 1) }}
{{- else if eq (include "reason.makesAccount" .) "true" -}}
{{ include "reason.name" . }}
{{- end -}}
{{- end -}}

{{/* "true" where the chart makes the account. (list root component) */}}
{{- define "reason.makesAccount" -}}
{{- $root := index . 0 -}}
{{- $account := (index $root.Values (index . 1)).serviceAccount -}}
{{- $lease := and (eq (index . 1) "sidecar") (include "reason.lease" $root) -}}
{{- if and (or $account.create (and $lease (not $account.name))) (not $root.Values.canary.of) -}}
true
{{- end -}}
{{- end -}}

{{/* What the specs of all pods of a component say alike. (list root component) */}}
{{- define "reason.pod" -}}
{{- $root := index . 0 -}}
{{- $component := index $root.Values (index . 1) -}}
{{- with include "reason.account" . }}
serviceAccountName: {{ . }}
{{- end }}
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $component.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
securityContext:
  {{- include "reason.podSecurity" $root | nindent 2 }}
{{- with $component.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
  {{- with $component.topologySpreadConstraints }}
  {{- toYaml . | nindent 2 }}
  {{- else }}
  # A replica on another node, if there is one.
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "reason.selector" . | nindent 8 }}
  {{- end }}
{{- with $root.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Who connects to the database: from a Secret, unless something else says it. (secret) */}}
{{- define "reason.databaseUser" -}}
{{- if . }}
- name: PGUSER
  valueFrom: {secretKeyRef: {name: {{ . }}, key: username}}
- name: PGPASSWORD
  valueFrom: {secretKeyRef: {name: {{ . }}, key: password}}
{{- end }}
{{- end -}}

{{/* Of the contents of Secrets that pods have in their environment, as far as they can be seen: an upgrade after a change
makes new pods. `helm template` sees none. (list root secret…) */}}
{{- define "reason.secretsChecksum" -}}
{{- $root := first . -}}
{{- $contents := list -}}
{{- range compact (rest .) -}}
{{- $contents = append $contents (lookup "v1" "Secret" $root.Release.Namespace .).data -}}
{{- end -}}
{{ $contents | toJson | sha256sum }}
{{- end -}}

{{/* A value as a program reads it: large whole numbers come as 1.2e+06 otherwise. */}}
{{- define "reason.setting" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) -}}
{{ printf "%.0f" . }}
{{- else -}}
{{ . }}
{{- end -}}
{{- end -}}

{{/* How many pods the Deployment of the gateway begins with: under an autoscaler what it has made of it. */}}
{{- define "reason.gatewayReplicas" -}}
{{- $scaling := .Values.gateway.autoscaling -}}
{{- if .Values.canary.of -}}
{{ int .Values.canary.replicas }}
{{- else if $scaling.enabled -}}
{{- $running := (lookup "apps/v1" "Deployment" .Release.Namespace (include "reason.name" (list . "gateway"))).spec | default dict -}}
{{- $wanted := $running.replicas | default .Values.gateway.replicas | int -}}
{{ min (max $wanted $scaling.minReplicas) $scaling.maxReplicas }}
{{- else -}}
{{ int .Values.gateway.replicas }}
{{- end -}}
{{- end -}}

{{/* A configuration of nginx with the pools of connections that the values ask for. (list text root) */}}
{{- define "reason.pools" -}}
{{- $gateway := (index . 1).Values.gateway -}}
{{- $text := regexReplaceAll "\\bworker_processes [a-z0-9]+;" (index . 0) (printf "worker_processes %d;" (int $gateway.workers)) -}}
{{- $text = regexReplaceAll "\\bconnections [0-9]+;" $text (printf "connections %d;" (int $gateway.connections)) -}}
{{ regexReplaceAll "\\bqueue [0-9]+;" $text (printf "queue %d;" (int $gateway.queue)) }}
{{- end -}}

{{/* The upstream of routes that only read. */}}
{{- define "reason.reads" -}}
{{- if .Values.gateway.cells }}$reason_cell_reads{{ else }}{{ ternary "reads" "reason" (ne .Values.database.readConninfo "") }}{{ end -}}
{{- end -}}

{{/* How many sessions a sidecar opens: main, seal, snapshot and log, one each for Kafka and the archive, and one for each mirror. */}}
{{- define "reason.sidecarSessions" -}}
{{- $config := .Values.sidecar.config -}}
{{- $sessions := 4 -}}
{{- if dig "kafka" "brokers" "" $config }}{{ $sessions = add $sessions 1 }}{{ end -}}
{{- if dig "archive" "url" "" $config }}{{ $sessions = add $sessions 1 }}{{ end -}}
{{- range $section, $_ := $config }}{{ if hasPrefix "mirror " $section }}{{ $sessions = add $sessions 1 }}{{ end }}{{ end -}}
{{ $sessions }}
{{- end -}}
