{{- define "reason.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{/* (list root component) */}}
{{- define "reason.selector" -}}
app.kubernetes.io/name: {{ (index . 0).Chart.Name }}
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "reason.name" -}}
{{ (index . 0).Release.Name }}-{{ index . 1 }}
{{- end -}}

{{/* (list root image) */}}
{{- define "reason.image" -}}
{{ (index . 1).repository }}:{{ (index . 1).tag | default (index . 0).Chart.AppVersion }}
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

{{/* A replica on another node, if there is one. (list root component) */}}
{{- define "reason.spread" -}}
- maxSkew: 1
  topologyKey: kubernetes.io/hostname
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "reason.selector" . | nindent 6 }}
{{- end -}}


{{/* Of the contents of Secrets that pods have in their environment, as far as they can be seen: an upgrade after a change
makes new pods. `helm template` sees none. (list root secret…) */}}
{{- define "reason.secretsChecksum" -}}
{{- $root := first . -}}
{{- $contents := list -}}
{{- range rest . -}}
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

{{/* The ports of conninfos, as entries of a NetworkPolicy. (list conninfo…) */}}
{{- define "reason.databasePorts" -}}
{{- $ports := list -}}
{{- range . -}}
{{- if . -}}
{{- $ports = concat $ports (regexFindAll "[0-9]+" (regexFind "\\bport\\s*=\\s*'?[0-9, ]+" .) -1 | default (list "5432")) -}}
{{- end -}}
{{- end -}}
{{- range $ports | uniq | sortAlpha }}
- port: {{ . }}
{{- end }}
{{- end -}}

{{/* How many pods the Deployment of the gateway begins with: under an autoscaler what it has made of it. */}}
{{- define "reason.gatewayReplicas" -}}
{{- $scaling := .Values.gateway.autoscaling -}}
{{- if $scaling.enabled -}}
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
