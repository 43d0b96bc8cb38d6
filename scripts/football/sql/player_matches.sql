-- A row a player and match, with the team that he played for in that match. Each column comes from the first source
-- that knows it, in the order of the joins below; the numbers come from settled rows only. A source that is not
-- among the joins does not count.
SELECT
    m.competition, m.season, m.home_team, m.away_team, m.leg, m.player,
    COALESCE(s1.team, s2.team, s3.team) AS team,
    COALESCE(s1.opponent, s2.opponent, s3.opponent) AS opponent,
    COALESCE(s1.was_home, s2.was_home, s3.was_home) AS was_home,
    COALESCE(s1.kickoff, s2.kickoff, s3.kickoff) AS kickoff,
    COALESCE(s1.date, s2.date, s3.date) AS date,
    COALESCE(s1.position, s2.position, s3.position) AS position,
    CASE WHEN 1 IN (s1.settled, s2.settled, s3.settled) THEN 1 ELSE 0 END AS settled,
    COALESCE(
        CASE WHEN s1.settled = 1 THEN s1.started END, CASE WHEN s2.settled = 1 THEN s2.started END,
        CASE WHEN s3.settled = 1 THEN s3.started END
    ) AS started,
    COALESCE(
        CASE WHEN s1.settled = 1 THEN s1.minutes END, CASE WHEN s2.settled = 1 THEN s2.minutes END,
        CASE WHEN s3.settled = 1 THEN s3.minutes END
    ) AS minutes,
    COALESCE(
        CASE WHEN s1.settled = 1 THEN s1.goals END, CASE WHEN s2.settled = 1 THEN s2.goals END,
        CASE WHEN s3.settled = 1 THEN s3.goals END
    ) AS goals,
    COALESCE(
        CASE WHEN s1.settled = 1 THEN s1.assists END, CASE WHEN s2.settled = 1 THEN s2.assists END,
        CASE WHEN s3.settled = 1 THEN s3.assists END
    ) AS assists,
    COALESCE(
        CASE WHEN s1.settled = 1 THEN s1.shots END, CASE WHEN s2.settled = 1 THEN s2.shots END,
        CASE WHEN s3.settled = 1 THEN s3.shots END
    ) AS shots,
    COALESCE(
        CASE WHEN s1.settled = 1 THEN s1.shots_on_target END,
        CASE WHEN s2.settled = 1 THEN s2.shots_on_target END,
        CASE WHEN s3.settled = 1 THEN s3.shots_on_target END
    ) AS shots_on_target,
    COALESCE(
        CASE WHEN s1.settled = 1 THEN s1.key_passes END, CASE WHEN s2.settled = 1 THEN s2.key_passes END,
        CASE WHEN s3.settled = 1 THEN s3.key_passes END
    ) AS key_passes,
    COALESCE(
        CASE WHEN s1.settled = 1 THEN s1.passes END, CASE WHEN s2.settled = 1 THEN s2.passes END,
        CASE WHEN s3.settled = 1 THEN s3.passes END
    ) AS passes,
    COALESCE(
        CASE WHEN s1.settled = 1 THEN s1.passes_accurate END,
        CASE WHEN s2.settled = 1 THEN s2.passes_accurate END,
        CASE WHEN s3.settled = 1 THEN s3.passes_accurate END
    ) AS passes_accurate,
    COALESCE(
        CASE WHEN s1.settled = 1 THEN s1.saves END, CASE WHEN s2.settled = 1 THEN s2.saves END,
        CASE WHEN s3.settled = 1 THEN s3.saves END
    ) AS saves,
    COALESCE(
        CASE WHEN s1.settled = 1 THEN s1.own_goals END, CASE WHEN s2.settled = 1 THEN s2.own_goals END,
        CASE WHEN s3.settled = 1 THEN s3.own_goals END
    ) AS own_goals,
    COALESCE(
        CASE WHEN s1.settled = 1 THEN s1.conceded END, CASE WHEN s2.settled = 1 THEN s2.conceded END,
        CASE WHEN s3.settled = 1 THEN s3.conceded END
    ) AS conceded,
    COALESCE(
        CASE WHEN s1.settled = 1 THEN s1.yellow_cards END, CASE WHEN s2.settled = 1 THEN s2.yellow_cards END,
        CASE WHEN s3.settled = 1 THEN s3.yellow_cards END
    ) AS yellow_cards,
    COALESCE(
        CASE WHEN s1.settled = 1 THEN s1.red_cards END, CASE WHEN s2.settled = 1 THEN s2.red_cards END,
        CASE WHEN s3.settled = 1 THEN s3.red_cards END
    ) AS red_cards,
    COALESCE(
        CASE WHEN s1.settled = 1 THEN s1.bonus END, CASE WHEN s2.settled = 1 THEN s2.bonus END,
        CASE WHEN s3.settled = 1 THEN s3.bonus END
    ) AS bonus,
    COALESCE(
        CASE WHEN s1.settled = 1 THEN s1.points END, CASE WHEN s2.settled = 1 THEN s2.points END,
        CASE WHEN s3.settled = 1 THEN s3.points END
    ) AS points
FROM (
    SELECT DISTINCT competition, season, home_team, away_team, leg, player FROM player_match_sources
    WHERE source IN ('client', 'fpl', 'wyscout')
) m
LEFT JOIN player_match_sources s1 ON s1.competition = m.competition AND s1.season = m.season
    AND s1.home_team = m.home_team AND s1.away_team = m.away_team AND s1.leg = m.leg AND s1.player = m.player
    AND s1.source = 'client'
LEFT JOIN player_match_sources s2 ON s2.competition = m.competition AND s2.season = m.season
    AND s2.home_team = m.home_team AND s2.away_team = m.away_team AND s2.leg = m.leg AND s2.player = m.player
    AND s2.source = 'fpl'
LEFT JOIN player_match_sources s3 ON s3.competition = m.competition AND s3.season = m.season
    AND s3.home_team = m.home_team AND s3.away_team = m.away_team AND s3.leg = m.leg AND s3.player = m.player
    AND s3.source = 'wyscout';
