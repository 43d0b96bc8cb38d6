-- A row a team and competition: in which seasons it was there, and how many settled matches it played.
SELECT team, competition, MIN(season) AS first_season, MAX(season) AS last_season, SUM(settled) AS matches
FROM (
    SELECT home_team AS team, competition, season, settled FROM matches
    UNION ALL
    SELECT away_team, competition, season, settled FROM matches
) sides
GROUP BY team, competition;
