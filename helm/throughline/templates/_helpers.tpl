{{- define "throughline.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Short enough for the suffixes that some objects have. */}}
{{- define "throughline.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- $full | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Which pods: (list $ "gateway") */}}
{{- define "throughline.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "throughline.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* What every object is called: (list $ "gateway") */}}
{{- define "throughline.labels" -}}
{{- $root := index . 0 -}}
{{ include "throughline.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "throughline.image" -}}
{{- with .Values.image -}}
{{- $tag := default $.Chart.AppVersion .tag -}}
{{- .repository }}:{{ $tag }}{{ with .digest }}@{{ . }}{{ end -}}
{{- end -}}
{{- end -}}

{{- define "throughline.account" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "throughline.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* The account of what runs before the release's own account is there. */}}
{{- define "throughline.migrateAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- include "throughline.fullname" . }}-migrate
{{- else -}}
{{- include "throughline.account" . -}}
{{- end -}}
{{- end -}}

{{- define "throughline.baseUrl" -}}
{{- if .Values.baseUrl -}}
{{- .Values.baseUrl -}}
{{- else -}}
https://{{ first .Values.ingress.hosts }}/fhir
{{- end -}}
{{- end -}}

{{- define "throughline.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ .Values.runAs.user }}
runAsGroup: {{ .Values.runAs.group }}
fsGroup: {{ .Values.runAs.group }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "throughline.containerSecurity" -}}
allowPrivilegeEscalation: false
privileged: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* Where the URL of the database comes from. */}}
{{- define "throughline.databaseEnv" -}}
{{- with .Values.database -}}
{{- if .secretName -}}
- name: THROUGHLINE_DATABASE_URL
  valueFrom:
    secretKeyRef: { name: {{ .secretName }}, key: {{ .key }} }
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Where pods are placed. */}}
{{- define "throughline.placement" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{- define "throughline.migrateArgs" -}}
[migrate{{ if .Values.migrate.allowLoss }}, --allow-loss{{ end }}]
{{- end -}}

{{/* The data folder, with the keys in it, and a place for temporary files. */}}
{{- define "throughline.dataMounts" -}}
- { name: tmp, mountPath: /tmp }
- { name: data, mountPath: /var/lib/throughline }
{{- if .Values.keys.secretName }}
- { name: keys, mountPath: /var/lib/throughline/keys.json, subPath: {{ .Values.keys.key }}, readOnly: true }
{{- end }}
{{- end -}}
