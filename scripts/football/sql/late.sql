-- Matches with a kick-off that no source has settled, and what each source says of them: whoever asks compares the
-- kick-off and last_updated with the clock. A free plan may bring a result hours late; that is not a fault of the
-- programs.
SELECT
    m.kickoff, m.competition, m.season, m.home_team, m.away_team, m.leg,
    s.source, s.status, s.last_updated, s.fetched_at
FROM matches m
JOIN match_sources s ON s.competition = m.competition AND s.season = m.season
    AND s.home_team = m.home_team AND s.away_team = m.away_team AND s.leg = m.leg
WHERE m.settled = 0 AND m.kickoff IS NOT NULL
ORDER BY m.kickoff, m.competition, m.season, m.home_team, m.away_team, m.leg, s.source;
