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
