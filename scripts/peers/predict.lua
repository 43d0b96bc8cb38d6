-- wrk's request: one prediction. An answer that is none counts as an error in the last line that wrk prints.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"sg_total":2.1,"driving_dist":291.4,"driving_acc":0.64,"gir":0.72,"scrambling":0.6,'
    .. '"prox_rgh":41.2,"prox_fw":29.8,"great_shots":4,"poor_shots":2}'
-- MLflow's protocol wraps rows.
if wrk.path == "/invocations" then wrk.body = '{"dataframe_records":[' .. wrk.body .. ']}' end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format("figures %f %f %d\n", summary.requests / summary.duration * 1e6,
        latency:percentile(99) / 1e6, errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
