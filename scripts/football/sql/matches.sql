-- A row a match, made of what the sources say of it. Each column comes from the first source that knows it, in the
-- order of the joins below, whichever was loaded first. A source that is not among them does not count: add it to the
-- list, to the joins and to the columns. Goals and the half-time goals come from settled rows only, so that a running
-- score is no result. A kick-off comes from a source that names the day, too, that stands in `date`: at the hour of one
-- day and on another day nothing was played. Awarded is a match that any of them calls so: a file of results shows only
-- its goals. first_kickoff is the kick-off that was known first; what was loaded by hand is known since then.
SELECT
    m.competition, m.season, m.home_team, m.away_team, m.leg,
    COALESCE(s1.round, s2.round, s3.round, s4.round, s5.round, s6.round, s7.round, s8.round) AS round,
    COALESCE(s1.date, s2.date, s3.date, s4.date, s5.date, s6.date, s7.date, s8.date) AS date,
    COALESCE(
        CASE WHEN s1.date IS NOT NULL THEN s1.kickoff END,
        CASE WHEN s2.date = COALESCE(s1.date, s2.date) THEN s2.kickoff END,
        CASE WHEN s3.date = COALESCE(s1.date, s2.date, s3.date) THEN s3.kickoff END,
        CASE WHEN s4.date = COALESCE(s1.date, s2.date, s3.date, s4.date) THEN s4.kickoff END,
        CASE WHEN s5.date = COALESCE(s1.date, s2.date, s3.date, s4.date, s5.date) THEN s5.kickoff END,
        CASE WHEN s6.date = COALESCE(s1.date, s2.date, s3.date, s4.date, s5.date, s6.date) THEN s6.kickoff END,
        CASE WHEN s7.date = COALESCE(s1.date, s2.date, s3.date, s4.date, s5.date, s6.date, s7.date)
            THEN s7.kickoff END,
        CASE WHEN s8.date = COALESCE(s1.date, s2.date, s3.date, s4.date, s5.date, s6.date, s7.date, s8.date)
            THEN s8.kickoff END
    ) AS kickoff,
    (
        SELECT k.kickoff FROM kickoffs k
        WHERE k.competition = m.competition AND k.season = m.season
            AND k.home_team = m.home_team AND k.away_team = m.away_team AND k.leg = m.leg
        ORDER BY COALESCE(k.known_at, k.fetched_at), k.kickoff
        LIMIT 1
    ) AS first_kickoff,
    COALESCE(
        CASE WHEN 'awarded' IN (
            s1.status, s2.status, s3.status, s4.status, s5.status, s6.status, s7.status, s8.status
        ) AND 1 IN (
            s1.settled, s2.settled, s3.settled, s4.settled, s5.settled, s6.settled, s7.settled, s8.settled
        ) THEN 'awarded' END,
        CASE WHEN s1.settled = 1 THEN s1.status END, CASE WHEN s2.settled = 1 THEN s2.status END,
        CASE WHEN s3.settled = 1 THEN s3.status END, CASE WHEN s4.settled = 1 THEN s4.status END,
        CASE WHEN s5.settled = 1 THEN s5.status END, CASE WHEN s6.settled = 1 THEN s6.status END,
        CASE WHEN s7.settled = 1 THEN s7.status END, CASE WHEN s8.settled = 1 THEN s8.status END, s1.status,
        s2.status, s3.status, s4.status, s5.status, s6.status, s7.status, s8.status
    ) AS status,
    CASE WHEN 1 IN (
        s1.settled, s2.settled, s3.settled, s4.settled, s5.settled, s6.settled, s7.settled, s8.settled
    ) THEN 1 ELSE 0 END AS settled,
    COALESCE(
        CASE WHEN s1.settled = 1 THEN s1.home_goals END, CASE WHEN s2.settled = 1 THEN s2.home_goals END,
        CASE WHEN s3.settled = 1 THEN s3.home_goals END, CASE WHEN s4.settled = 1 THEN s4.home_goals END,
        CASE WHEN s5.settled = 1 THEN s5.home_goals END, CASE WHEN s6.settled = 1 THEN s6.home_goals END,
        CASE WHEN s7.settled = 1 THEN s7.home_goals END, CASE WHEN s8.settled = 1 THEN s8.home_goals END
    ) AS home_goals,
    COALESCE(
        CASE WHEN s1.settled = 1 THEN s1.away_goals END, CASE WHEN s2.settled = 1 THEN s2.away_goals END,
        CASE WHEN s3.settled = 1 THEN s3.away_goals END, CASE WHEN s4.settled = 1 THEN s4.away_goals END,
        CASE WHEN s5.settled = 1 THEN s5.away_goals END, CASE WHEN s6.settled = 1 THEN s6.away_goals END,
        CASE WHEN s7.settled = 1 THEN s7.away_goals END, CASE WHEN s8.settled = 1 THEN s8.away_goals END
    ) AS away_goals,
    COALESCE(
        CASE WHEN s1.settled = 1 THEN s1.home_goals_half_time END,
        CASE WHEN s2.settled = 1 THEN s2.home_goals_half_time END,
        CASE WHEN s3.settled = 1 THEN s3.home_goals_half_time END,
        CASE WHEN s4.settled = 1 THEN s4.home_goals_half_time END,
        CASE WHEN s5.settled = 1 THEN s5.home_goals_half_time END,
        CASE WHEN s6.settled = 1 THEN s6.home_goals_half_time END,
        CASE WHEN s7.settled = 1 THEN s7.home_goals_half_time END,
        CASE WHEN s8.settled = 1 THEN s8.home_goals_half_time END
    ) AS home_goals_half_time,
    COALESCE(
        CASE WHEN s1.settled = 1 THEN s1.away_goals_half_time END,
        CASE WHEN s2.settled = 1 THEN s2.away_goals_half_time END,
        CASE WHEN s3.settled = 1 THEN s3.away_goals_half_time END,
        CASE WHEN s4.settled = 1 THEN s4.away_goals_half_time END,
        CASE WHEN s5.settled = 1 THEN s5.away_goals_half_time END,
        CASE WHEN s6.settled = 1 THEN s6.away_goals_half_time END,
        CASE WHEN s7.settled = 1 THEN s7.away_goals_half_time END,
        CASE WHEN s8.settled = 1 THEN s8.away_goals_half_time END
    ) AS away_goals_half_time,
    COALESCE(
        s1.referee, s2.referee, s3.referee, s4.referee, s5.referee, s6.referee, s7.referee, s8.referee
    ) AS referee,
    COALESCE(
        s1.home_shots, s2.home_shots, s3.home_shots, s4.home_shots, s5.home_shots, s6.home_shots, s7.home_shots,
        s8.home_shots
    ) AS home_shots,
    COALESCE(
        s1.away_shots, s2.away_shots, s3.away_shots, s4.away_shots, s5.away_shots, s6.away_shots, s7.away_shots,
        s8.away_shots
    ) AS away_shots,
    COALESCE(
        s1.home_shots_on_target, s2.home_shots_on_target, s3.home_shots_on_target, s4.home_shots_on_target,
        s5.home_shots_on_target, s6.home_shots_on_target, s7.home_shots_on_target, s8.home_shots_on_target
    ) AS home_shots_on_target,
    COALESCE(
        s1.away_shots_on_target, s2.away_shots_on_target, s3.away_shots_on_target, s4.away_shots_on_target,
        s5.away_shots_on_target, s6.away_shots_on_target, s7.away_shots_on_target, s8.away_shots_on_target
    ) AS away_shots_on_target,
    COALESCE(
        s1.home_fouls, s2.home_fouls, s3.home_fouls, s4.home_fouls, s5.home_fouls, s6.home_fouls, s7.home_fouls,
        s8.home_fouls
    ) AS home_fouls,
    COALESCE(
        s1.away_fouls, s2.away_fouls, s3.away_fouls, s4.away_fouls, s5.away_fouls, s6.away_fouls, s7.away_fouls,
        s8.away_fouls
    ) AS away_fouls,
    COALESCE(
        s1.home_corners, s2.home_corners, s3.home_corners, s4.home_corners, s5.home_corners, s6.home_corners,
        s7.home_corners, s8.home_corners
    ) AS home_corners,
    COALESCE(
        s1.away_corners, s2.away_corners, s3.away_corners, s4.away_corners, s5.away_corners, s6.away_corners,
        s7.away_corners, s8.away_corners
    ) AS away_corners,
    COALESCE(
        s1.home_yellow_cards, s2.home_yellow_cards, s3.home_yellow_cards, s4.home_yellow_cards,
        s5.home_yellow_cards, s6.home_yellow_cards, s7.home_yellow_cards, s8.home_yellow_cards
    ) AS home_yellow_cards,
    COALESCE(
        s1.away_yellow_cards, s2.away_yellow_cards, s3.away_yellow_cards, s4.away_yellow_cards,
        s5.away_yellow_cards, s6.away_yellow_cards, s7.away_yellow_cards, s8.away_yellow_cards
    ) AS away_yellow_cards,
    COALESCE(
        s1.home_red_cards, s2.home_red_cards, s3.home_red_cards, s4.home_red_cards, s5.home_red_cards,
        s6.home_red_cards, s7.home_red_cards, s8.home_red_cards
    ) AS home_red_cards,
    COALESCE(
        s1.away_red_cards, s2.away_red_cards, s3.away_red_cards, s4.away_red_cards, s5.away_red_cards,
        s6.away_red_cards, s7.away_red_cards, s8.away_red_cards
    ) AS away_red_cards
FROM (
    SELECT DISTINCT competition, season, home_team, away_team, leg FROM match_sources
    WHERE source IN (
        'client', 'football-data.co.uk', 'football-datasets', 'football-data.org',
        'api-football', 'fpl', 'openfootball', 'kaggle'
    )
) m
LEFT JOIN match_sources s1 ON s1.competition = m.competition AND s1.season = m.season
    AND s1.home_team = m.home_team AND s1.away_team = m.away_team AND s1.leg = m.leg
    AND s1.source = 'client'
LEFT JOIN match_sources s2 ON s2.competition = m.competition AND s2.season = m.season
    AND s2.home_team = m.home_team AND s2.away_team = m.away_team AND s2.leg = m.leg
    AND s2.source = 'football-data.co.uk'
LEFT JOIN match_sources s3 ON s3.competition = m.competition AND s3.season = m.season
    AND s3.home_team = m.home_team AND s3.away_team = m.away_team AND s3.leg = m.leg
    AND s3.source = 'football-datasets'
LEFT JOIN match_sources s4 ON s4.competition = m.competition AND s4.season = m.season
    AND s4.home_team = m.home_team AND s4.away_team = m.away_team AND s4.leg = m.leg
    AND s4.source = 'football-data.org'
LEFT JOIN match_sources s5 ON s5.competition = m.competition AND s5.season = m.season
    AND s5.home_team = m.home_team AND s5.away_team = m.away_team AND s5.leg = m.leg
    AND s5.source = 'api-football'
LEFT JOIN match_sources s6 ON s6.competition = m.competition AND s6.season = m.season
    AND s6.home_team = m.home_team AND s6.away_team = m.away_team AND s6.leg = m.leg
    AND s6.source = 'fpl'
LEFT JOIN match_sources s7 ON s7.competition = m.competition AND s7.season = m.season
    AND s7.home_team = m.home_team AND s7.away_team = m.away_team AND s7.leg = m.leg
    AND s7.source = 'openfootball'
LEFT JOIN match_sources s8 ON s8.competition = m.competition AND s8.season = m.season
    AND s8.home_team = m.home_team AND s8.away_team = m.away_team AND s8.leg = m.leg
    AND s8.source = 'kaggle';
