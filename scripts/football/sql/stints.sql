-- From when to when a player played for a team, by season and competition. The team is the one of each match: a
-- player who moves in mid-season has two stints, and keeps the shirt of each match.
SELECT
    player, team, season, competition,
    MIN(date) AS first_date, MAX(date) AS last_date, COUNT(*) AS matches
FROM player_matches
GROUP BY player, team, season, competition;
