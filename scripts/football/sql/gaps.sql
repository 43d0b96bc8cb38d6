-- Teams of a complete season that lack matches, or have too many: everybody meets everybody at home and away, which
-- makes n - 1 matches at home and n - 1 away of n teams. A season is complete when so many matches are settled as
-- there are pairs, or when a newer one of its competition is there. A second spelling of a team shows here, too: as
-- one team too many.
SELECT
    t.competition, t.season, t.team, t.home_matches, t.away_matches, n.teams - 1 AS expected
FROM (
    SELECT competition, season, team, SUM(at_home) AS home_matches, SUM(on_the_road) AS away_matches
    FROM (
        SELECT competition, season, home_team AS team, settled AS at_home, 0 AS on_the_road FROM matches
        UNION ALL
        SELECT competition, season, away_team, 0, settled FROM matches
    ) sides
    GROUP BY competition, season, team
) t
JOIN (
    SELECT competition, season, COUNT(DISTINCT team) AS teams, SUM(settled) AS settled
    FROM (
        SELECT competition, season, home_team AS team, settled FROM matches
        UNION ALL
        SELECT competition, season, away_team, 0 FROM matches
    ) members
    GROUP BY competition, season
) n ON n.competition = t.competition AND n.season = t.season
JOIN (
    SELECT competition, MAX(season) AS season FROM match_sources GROUP BY competition
) newest ON newest.competition = t.competition
WHERE (t.season < newest.season OR n.settled >= n.teams * (n.teams - 1))
    AND (t.home_matches <> n.teams - 1 OR t.away_matches <> n.teams - 1)
ORDER BY t.competition, t.season, t.team;
