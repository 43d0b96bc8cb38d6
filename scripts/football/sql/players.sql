-- A row a player: name and position as of the newest season in which a source lists him. Sources in the order of
-- the joins; one that is not among them does not count.
SELECT
    m.player, m.season,
    COALESCE(s1.name, s2.name, s3.name) AS name,
    COALESCE(s1.position, s2.position, s3.position) AS position
FROM (
    SELECT player, MAX(season) AS season FROM player_sources
    WHERE source IN ('client', 'fpl', 'wyscout')
    GROUP BY player
) m
LEFT JOIN player_sources s1 ON s1.player = m.player AND s1.season = m.season AND s1.source = 'client'
LEFT JOIN player_sources s2 ON s2.player = m.player AND s2.season = m.season AND s2.source = 'fpl'
LEFT JOIN player_sources s3 ON s3.player = m.player AND s3.season = m.season AND s3.source = 'wyscout';
