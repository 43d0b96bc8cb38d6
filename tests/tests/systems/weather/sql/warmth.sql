-- One row an hour of a station: the mean of its sources, and how high it stands.
SELECT r.station AS station, r.at AS at, CAST(SUBSTR(r.at, 12, 2) AS SIGNED) AS hour,
    s.altitude AS altitude, AVG(r.celsius) AS celsius
FROM readings r
JOIN stations s ON s.station = r.station
WHERE r.station = :station AND SUBSTR(r.at, 1, 7) = :at_month
GROUP BY r.station, r.at, s.altitude
ORDER BY r.station, r.at
