{{/* Names, labels, and what follows from where content lies. */}}

{{- define "zot.name" -}}
{{- .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "zot.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "zot.selectorLabels" -}}
app.kubernetes.io/name: {{ include "zot.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "zot.labels" -}}
{{ include "zot.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "zot.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "zot.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "zot.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{/* "yes" where pods have nothing on a disk that another one lacks: content in a bucket, metadata in PostgreSQL. */}}
{{- define "zot.isShared" -}}
{{- $storage := .Values.config.storage | default dict -}}
{{- $metadata := $storage.metadata | default dict -}}
{{- if and $storage.storageDriver $metadata.url -}}yes{{- end -}}
{{- end -}}

{{/* The configuration, with what the chart decides. */}}
{{- define "zot.config" -}}
{{- $own := dict
  "storage" (dict "rootDirectory" "/var/lib/registry")
  "http" (dict "address" "0.0.0.0" "port" "5000")
-}}
{{- $config := mergeOverwrite (deepCopy .Values.config) $own -}}
{{- if .Values.serviceMonitor.enabled -}}
{{- $config = merge $config (dict "extensions" (dict "metrics" (dict "enable" true))) -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{- define "zot.check" -}}
{{- $many := or .Values.autoscaling.enabled (gt (int .Values.replicaCount) 1) -}}
{{- if and $many (not (include "zot.isShared" .)) -}}
{{- fail "replicaCount: expected 1, or config.storage.storageDriver and config.storage.metadata.url, got several pods whose content lies on a disk of one; give both options, or one pod" -}}
{{- end -}}
{{- end -}}
