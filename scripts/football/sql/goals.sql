-- Two rows a finished match, one of each side: how often a team scored against its opponent, and whether it was at home
-- (1). shots_proxy is that of result.sql, which also says why an awarded match is left out.
SELECT
    competition, season, date, kickoff, home_team, away_team, home_team AS team, away_team AS opponent, 1 AS home,
    home_goals AS goals, away_goals AS conceded,
    20 * home_shots_on_target + 3 * (home_shots - home_shots_on_target) AS shots_proxy,
    20 * away_shots_on_target + 3 * (away_shots - away_shots_on_target) AS shots_proxy_against
FROM matches
WHERE competition = :competition AND season = :season AND settled = 1 AND status = 'finished'
UNION ALL
SELECT
    competition, season, date, kickoff, home_team, away_team, away_team, home_team, 0,
    away_goals, home_goals,
    20 * away_shots_on_target + 3 * (away_shots - away_shots_on_target),
    20 * home_shots_on_target + 3 * (home_shots - home_shots_on_target)
FROM matches
WHERE competition = :competition AND season = :season AND settled = 1 AND status = 'finished'
ORDER BY date, kickoff, home_team, home;
