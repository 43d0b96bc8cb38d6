"""What the job `extract-csv` and its peers share: which columns of a season's CSV are selected, and what they are."""

import csv

TEAM = "team"
# The column of the table: its name in the header, and its type.
MATCHES = {
    "competition": ("Div", "text(8)"),
    "date": ("Date", "date"),
    "home_team": ("HomeTeam", TEAM),
    "away_team": ("AwayTeam", TEAM),
    "home_goals": ("FTHG", "integer"),
    "away_goals": ("FTAG", "integer"),
    "home_goals_half_time": ("HTHG", "integer"),
    "away_goals_half_time": ("HTAG", "integer"),
    "referee": ("Referee", "text(64)"),
    "home_shots": ("HS", "integer"),
    "away_shots": ("AS", "integer"),
    "home_shots_on_target": ("HST", "integer"),
    "away_shots_on_target": ("AST", "integer"),
    "home_fouls": ("HF", "integer"),
    "away_fouls": ("AF", "integer"),
    "home_corners": ("HC", "integer"),
    "away_corners": ("AC", "integer"),
    "home_yellow_cards": ("HY", "integer"),
    "away_yellow_cards": ("AY", "integer"),
    "home_red_cards": ("HR", "integer"),
    "away_red_cards": ("AR", "integer"),
    "result": ("FTR", "text(1)"),
    "price_home": ("B365H", "number"),
    "price_draw": ("B365D", "number"),
    "price_away": ("B365A", "number"),
}


def names(path):
    """Which name a spelling means."""
    with open(path, newline="", encoding="utf-8") as lines:
        return {row["spelling"]: row["name"] for row in csv.DictReader(lines)}
