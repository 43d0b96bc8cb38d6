-- A row a player and finished match in which he was on the pitch, with what he did and his points by the rules: 1 for
-- playing, 2 from 60 minutes on; a goal 6, a midfielder's 5, a forward's 4; an assist 3; from 60 minutes on without a
-- goal against his team 4, a midfielder 1; of goalkeepers and defenders 1 less for every two goals against it; 1 for
-- every three saves; a yellow card 1 less, a red one 3, an own goal 2. A source that does not say what was conceded
-- while he played leaves it to the match's goals. `round` is the match's, where a source names it.
SELECT
    competition, season, round, date, kickoff, home_team, away_team, player, team, opponent, position, was_home,
    started, minutes, goals, assists, shots, shots_on_target, key_passes, saves, yellow_cards,
    CASE WHEN minutes >= 60 THEN 2 ELSE 1 END
        + goals * CASE position WHEN 'MID' THEN 5 WHEN 'FWD' THEN 4 ELSE 6 END
        + assists * 3
        + CASE
            WHEN minutes < 60 OR conceded > 0 OR position = 'FWD' THEN 0
            WHEN position = 'MID' THEN 1
            WHEN conceded = 0 THEN 4
        END
        - CASE
            WHEN position IN ('MID', 'FWD') THEN 0
            ELSE (conceded >= 2) + (conceded >= 4) + (conceded >= 6) + (conceded >= 8) + (conceded >= 10)
        END
        + (saves >= 3) + (saves >= 6) + (saves >= 9) + (saves >= 12) + (saves >= 15) + (saves >= 18)
        - yellow_cards - red_cards * 3 - own_goals * 2 AS points
FROM (
    SELECT
        m.competition, m.season, m.round, p.date, p.kickoff, m.home_team, m.away_team, p.player, p.team, p.opponent,
        p.position, p.was_home, p.started, p.minutes, p.goals, p.assists, p.shots, p.shots_on_target, p.key_passes,
        p.saves, p.yellow_cards, p.red_cards, p.own_goals,
        COALESCE(p.conceded, CASE WHEN p.was_home = 1 THEN m.away_goals ELSE m.home_goals END) AS conceded
    FROM player_matches p
    JOIN matches m ON m.competition = p.competition AND m.season = p.season
        AND m.home_team = p.home_team AND m.away_team = p.away_team AND m.leg = p.leg
    WHERE p.competition = :competition AND p.season = :season AND p.settled = 1 AND p.minutes > 0
        AND p.position IN ('GK', 'DEF', 'MID', 'FWD') AND m.settled = 1 AND m.status = 'finished'
) played
ORDER BY date, kickoff, home_team, away_team, player;
