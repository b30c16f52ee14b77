{{/* Entries of a NetworkPolicy for what the values name: ports, and to whom. */}}

{{/* The ports of conninfos, separated by commas. (list conninfo…) */}}
{{- define "reason.databasePorts" -}}
{{- $ports := list -}}
{{- range compact . -}}
{{- $ports = concat $ports (regexFindAll "[0-9]+" (regexFind "\\bport\\s*=\\s*'?[0-9, ]+" .) -1 | default (list "5432")) -}}
{{- end -}}
{{ join "," $ports }}
{{- end -}}

{{/* The port of a URL; nothing for what is no URL of a network. */}}
{{- define "reason.urlPort" -}}
{{- if . -}}
{{- $url := urlParse . -}}
{{- $named := regexFind ":[0-9]+$" $url.host | trimPrefix ":" -}}
{{- if has $url.scheme (list "http" "https" "ws" "wss") -}}
{{ $named | default (ternary "443" "80" (has $url.scheme (list "https" "wss"))) }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The port of the store of snapshots and archive; nothing for a directory. (config) */}}
{{- define "reason.storePort" -}}
{{- if or (hasPrefix "s3://" (.store.url | default "")) (hasPrefix "s3://" (dig "archive" "url" "" .)) -}}
{{ include "reason.urlPort" (.store.endpoint | default "https://s3") }}
{{- end -}}
{{- end -}}

{{/* A peer: the Job that tries the release, if it is on trial. (root) */}}
{{- define "reason.fromTrial" -}}
{{- if .Values.canary.of -}}
- podSelector:
    matchLabels:
      {{- include "reason.selector" (list . "trial") | nindent 6 }}
{{- end -}}
{{- end -}}

{{/* The port of a signer's counterpart, if it has one. (section signer or checkpoint) */}}
{{- define "reason.signerPort" -}}
{{- if .url -}}
{{ include "reason.urlPort" .url }}
{{- else if eq (.type | default "") "aws-kms" -}}
443
{{- end -}}
{{- end -}}

{{/* Ports of a list such as broker:9093,broker. (text) */}}
{{- define "reason.brokerPorts" -}}
{{- $ports := list -}}
{{- range compact (splitList "," (nospace .)) -}}
{{- $ports = append $ports (regexFind ":[0-9]+$" . | trimPrefix ":" | default "9092") -}}
{{- end -}}
{{ join "," $ports }}
{{- end -}}

{{/* Ports of the sections of sidecar.config whose names begin so. (list config beginning) */}}
{{- define "reason.sectionPorts" -}}
{{- $beginning := index . 1 -}}
{{- $ports := list -}}
{{- range $section, $keys := index . 0 -}}
{{- if hasPrefix $beginning $section -}}
{{- $ports = append $ports (include "reason.urlPort" $keys.url) -}}
{{- end -}}
{{- end -}}
{{ join "," $ports }}
{{- end -}}

{{/* One entry; none without ports. (list ports to) */}}
{{- define "reason.egress" -}}
{{- $ports := compact (splitList "," (toString (index . 0))) | uniq | sortAlpha -}}
{{- if $ports }}
- ports:
    {{- range $ports }}
    - port: {{ . }}
    {{- end }}
  {{- with index . 1 }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* Names are looked up. (peers) */}}
{{- define "reason.dns" -}}
- ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
  {{- with . }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
