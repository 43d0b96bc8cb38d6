-- A row a player and calendar year: his strokes gained a round in it. It is history when the year is over. Rounded to
-- ten places, where no mean of up to 128 rounds is a half, which databases round in their own ways.
SELECT
    tour, year AS season, dg_id,
    REPLACE('Y-12-31', 'Y', year) AS season_ended,
    COUNT(sg_total) AS season_rounds,
    ROUND(AVG(sg_total), 10) AS season_sg_total
FROM player_round_stats_pga_with_sg_data
WHERE sg_total IS NOT NULL
GROUP BY tour, year, dg_id
ORDER BY year, tour, dg_id;
