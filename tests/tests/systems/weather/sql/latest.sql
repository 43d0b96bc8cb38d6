SELECT station, MAX(at) AS at FROM readings GROUP BY station
