-- A row a player and event: his strokes gained a round, and the day on which the event began: three days before its
-- last one. Databases have no arithmetic of days in common, so months and days are cut out of longer texts here.
SELECT
    tour, year, event_id, dg_id,
    CASE
        WHEN SUBSTR(event_completed, 9, 2) > '03' THEN REPLACE(
            REPLACE('M-D', 'M', SUBSTR(event_completed, 1, 7)),
            'D',
            SUBSTR(
                '01020304050607080910111213141516171819202122232425262728', 2 * SUBSTR(event_completed, 9, 2) - 7, 2
            )
        )
        ELSE REPLACE(
            CASE
                WHEN SUBSTR(event_completed, 6, 2) = '01'
                    THEN REPLACE('Y-12-D', 'Y', SUBSTR(event_completed, 1, 4) - 1)
                ELSE REPLACE(
                    REPLACE('Y-M-D', 'Y', SUBSTR(event_completed, 1, 4)),
                    'M',
                    SUBSTR('0102030405060708091011', 2 * SUBSTR(event_completed, 6, 2) - 3, 2)
                )
            END,
            'D',
            -- How long the month before is, from December on.
            SUBSTR('313128313031303131303130', 2 * SUBSTR(event_completed, 6, 2) - 1, 2)
            + CASE
                WHEN SUBSTR(event_completed, 6, 2) = '03' AND SUBSTR(event_completed, 1, 4) % 4 = 0 THEN 1
                ELSE 0
            END
            + SUBSTR(event_completed, 9, 2) - 3
        )
    END AS starts,
    event_completed,
    COUNT(sg_total) AS rounds,
    ROUND(AVG(sg_total), 6) AS sg_total
FROM player_round_stats_pga_with_sg_data
WHERE sg_total IS NOT NULL
GROUP BY tour, year, event_id, dg_id, event_completed
ORDER BY event_completed, tour, event_id, dg_id;
