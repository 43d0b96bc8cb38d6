-- A row a finished match, and what follows from it: who won, points, and the goals that shots were worth
-- (shots_proxy), in hundredths: of a shot on target 0.20, of another one 0.03, as least squares has it for 2000-01
-- to 2018-19. A match that was awarded counts in a league table; who is the better team it does not tell, so it is
-- left out.
SELECT
    competition, season, date, kickoff, home_team, away_team, home_goals, away_goals,
    CASE
        WHEN home_goals > away_goals THEN 'H'
        WHEN home_goals < away_goals THEN 'A'
        WHEN home_goals = away_goals THEN 'D'
    END AS result,
    CASE WHEN home_goals > away_goals THEN 3 WHEN home_goals < away_goals THEN 0 WHEN home_goals = away_goals THEN 1 END
        AS home_points,
    CASE WHEN home_goals < away_goals THEN 3 WHEN home_goals > away_goals THEN 0 WHEN home_goals = away_goals THEN 1 END
        AS away_points,
    home_shots, away_shots, home_shots_on_target, away_shots_on_target,
    20 * home_shots_on_target + 3 * (home_shots - home_shots_on_target) AS home_shots_proxy,
    20 * away_shots_on_target + 3 * (away_shots - away_shots_on_target) AS away_shots_proxy
FROM matches
WHERE competition = :competition AND season = :season AND settled = 1 AND status = 'finished'
ORDER BY date, kickoff, home_team;
