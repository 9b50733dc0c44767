{{/* A key of TOML, bare where it can be. */}}
{{- define "throughline.toml.key" -}}
{{- ternary . (toJson .) (regexMatch "^[A-Za-z0-9_-]+$" .) -}}
{{- end -}}

{{/* A value in TOML. JSON's scalars are TOML's too; `toToml` would turn whole numbers into floats. */}}
{{- define "throughline.toml.value" -}}
{{- if kindIs "map" . -}}
{ {{- range $i, $key := (keys . | sortAlpha) }}{{ if $i }}, {{ end }}{{ include "throughline.toml.key" $key }} = {{ include "throughline.toml.value" (get $ $key) }}{{ end -}} }
{{- else if kindIs "slice" . -}}
[{{- range $i, $item := . }}{{ if $i }}, {{ end }}{{ include "throughline.toml.value" $item }}{{ end -}}]
{{- else -}}
{{- toJson . -}}
{{- end -}}
{{- end -}}

{{/* A table and the tables in it: (list "its.name" (dict …)) */}}
{{- define "throughline.toml.table" -}}
{{- $name := index . 0 -}}
{{- $table := index . 1 -}}
{{- $keys := keys $table | sortAlpha -}}
{{- $plain := list -}}
{{- range $keys -}}
{{- if not (kindIs "map" (get $table .)) -}}
{{- $plain = append $plain . -}}
{{- end -}}
{{- end -}}
{{- if and $name (or $plain (not $keys)) }}

[{{ $name }}]
{{- end }}
{{- range $plain }}
{{ include "throughline.toml.key" . }} = {{ include "throughline.toml.value" (get $table .) }}
{{- end }}
{{- range $keys }}
{{- $value := get $table . }}
{{- if kindIs "map" $value }}
{{- $key := include "throughline.toml.key" . }}
{{- include "throughline.toml.table" (list (ternary (printf "%s.%s" $name $key) $key (ne $name "")) $value) }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The settings file: the user's, and over it what follows from other values. */}}
{{- define "throughline.settings" -}}
{{- $server := dict
  "listen" "0.0.0.0:8080"
  "base_url" (include "throughline.baseUrl" .)
  "drain_wait_s" .Values.drain.waitSeconds
  "drain_timeout_s" .Values.drain.timeoutSeconds
-}}
{{- with .Values.trustedProxies -}}
{{- $_ := set $server "trusted_proxies" . -}}
{{- end -}}
{{- $own := dict "server" $server "admin" (dict "listen" "0.0.0.0:9090") -}}
{{- if .Values.tls.secretName -}}
{{- $_ := set $own "tls" (dict "certificate_file" "/etc/throughline/tls/tls.crt" "key_file" "/etc/throughline/tls/tls.key") -}}
{{- end -}}
# Written by the chart from its values.
{{- include "throughline.toml.table" (list "" (mergeOverwrite (deepCopy .Values.settings) $own)) }}
{{ end -}}
