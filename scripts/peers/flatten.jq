# `dg-fetch rounds` in jq: an answer to event_id=all becomes wire lines, one an event, its rounds in the order of their key.
def cells: {course_name, course_num, course_par, start_hole, teetime, round_score: .score, sg_putt, sg_arg, sg_app, sg_ott,
    sg_t2g, sg_total, driving_dist, driving_acc, gir, scrambling, prox_rgh, prox_fw, great_shots, poor_shots,
    eagles_or_better, birdies, pars, bogies, doubles_or_worse};

def rounds($event):
    [ .scores[] | . as $player | to_entries[] | select((.key | startswith("round_")) and .value != null)
      | $event + ($player | {player_name, dg_id, fin_text}) + {round_num: (.key[6:] | tonumber)} + (.value | cells) ]
    | sort_by(.dg_id, .round_num);

.[] | .event_id |= tonumber
| rounds({tour, year, season, event_completed, event_name, event_id}) as $rounds
| {v: "fairway.partition/1", table: "player_round_stats_pga_with_sg_data", key: {tour, year, event_id},
   listing: {event_name, event_completed, sg_categories, traditional_stats}, columns: ($rounds[0] | keys_unsorted),
   n_rows: ($rounds | length), rows: [$rounds[] | [.[]]]}
