# What the job `extract-json` runs in web-extract, jaq and jq: an answer of football-data.org becomes an object a match.
# It is the program of football's source `fixtures` (scripts/football/sources.toml).
.matches[]
| (if (.score.duration // "REGULAR") == "REGULAR" then .score.fullTime else .score.regularTime end) as $goals
| ((.status == "FINISHED" or .status == "AWARDED") and $goals.home != null and $goals.away != null) as $settled
| {
    source_id: (.id | tostring),
    round: (if .matchday then "Matchday \(.matchday)" else null end),
    home: .homeTeam.name,
    away: .awayTeam.name,
    day: (.utcDate // "" | .[0:10]),
    kickoff: (if .status == "SCHEDULED" then null else .utcDate end),
    status: .status,
    settled: (if $settled then 1 else 0 end),
    home_goals: (if $settled then $goals.home else null end),
    away_goals: (if $settled then $goals.away else null end),
    home_goals_half_time: (if $settled then .score.halfTime.home else null end),
    away_goals_half_time: (if $settled then .score.halfTime.away else null end),
    referee: ([.referees[]? | select(.type == "REFEREE") | .name] | .[0]),
    last_updated: .lastUpdated
  }
