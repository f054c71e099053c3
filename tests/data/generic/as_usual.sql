{#
  Of a table of the flow: what is not as usual, by its own past: a row for each finding, with its effect and its p-value.

  checks: some of volume, nulls, schema and freshness; all that there is a past for. Without a time column the past is that of
  the Delta log, which counts rows and NULLs a commit, and no data is read. time: a column by whose buckets rows and NULLs are
  counted instead; bucket: hour, day, week or month; season: day or week, where a bucket is to be judged by those at the same
  place of it; as_of: when it is, now unless it is given. columns: those whose NULLs are judged, all if none are named. within: how
  old the newest row or commit may be; by the times between commits unless it is given. past, min_past: by how many points before
  it one is judged, at most and at least. last: how many points are judged. alpha: from which p-value down a difference is no
  chance. min_change: above which effect it matters, {volume: 0.2, nulls: 0.01, freshness: 0.5}. schema_window: how long a change
  of columns is told; expected: columns whose change is meant.
#}
{% test as_usual(
    model, checks=none, time=none, bucket=none, season=none, as_of=none, columns=none, within=none, past=none, min_past=none,
    last=none, alpha=none, min_change=none, schema_window=none, expected=none
) %}

{{ penstock.as_usual(model, {
  'checks': checks, 'time': time, 'bucket': bucket, 'season': season, 'as_of': as_of, 'columns': columns, 'within': within,
  'past': past, 'min_past': min_past, 'last': last, 'alpha': alpha, 'min_change': min_change,
  'schema_window': schema_window, 'expected': expected,
}) }}

{% endtest %}
