use metrics::Better;
use recipe::{Gate, Verdict};

use crate::report::Report;
use crate::resample::Resampling;
use crate::scored::Rows;

/// What each gate says of a model. A gate that compares with the approved model holds where there is none, or none that can be scored: else a new
/// set of features could never be approved.
pub fn verdicts(gates: &[Gate], rows: &Rows, resampling: Resampling) -> Vec<Verdict> {
    let own = rows.own_report(Resampling { samples: 0, ..resampling });
    let compared = rows.report(resampling);
    gates.iter().flat_map(|gate| of_gate(gate, &own, &compared)).collect()
}

/// `report` is of all rows that the model never saw, `compared` of those that the approved one never saw either.
fn of_gate(gate: &Gate, report: &Report, compared: &Report) -> Vec<Verdict> {
    let metric = &gate.metric;
    let line = report.line(metric);
    let value = match metric.as_str() {
        "rows" => Some(report.rows as f64),
        "groups" => Some(report.groups as f64),
        _ => line.and_then(|line| line.model),
    };
    let Some(value) = value else {
        return vec![Verdict { rule: format!("{metric} has a value for these rows"), passed: false }];
    };
    let mut verdicts = Vec::new();
    let mut add = |rule: String, passed: bool| verdicts.push(Verdict { rule, passed });
    if let Some(least) = gate.at_least {
        add(format!("{metric} {} is at least {least}", shown(value)), value >= least);
    }
    if let Some(most) = gate.at_most {
        add(format!("{metric} {} is at most {most}", shown(value)), value <= most);
    }
    // A share of the other's value by which the model is better.
    let gain = |value: f64, other: f64| match Better::of(metric) {
        _ if value == other => 0.0,
        Some(Better::Higher) => (value - other) / other.abs(),
        Some(Better::Lower) => (other - value) / other.abs(),
        None => f64::NAN,
    };
    if let Some(least) = gate.beats_baseline_by {
        let baseline = line.and_then(|line| line.baseline);
        let gain = baseline.map_or(f64::NAN, |baseline| gain(value, baseline));
        add(
            format!(
                "{metric} {} is better than the baseline's {} by at least {} (by {})",
                shown(value),
                baseline.map_or_else(|| "none".to_owned(), shown),
                percent(least),
                percent(gain)
            ),
            gain >= least,
        );
    }
    if let Some(most) = gate.loses_to_approved_by {
        let line = compared.line(metric);
        let values = line.and_then(|line| line.model.zip(line.against.as_ref()?.value));
        match (values.zip(compared.against.as_ref()), &compared.incomparable) {
            (Some(((value, other), id)), _) => {
                let gain = gain(value, other);
                let rows = diagnostics::count(compared.rows);
                let chance = compared.p.map_or_else(String::new, |p| format!(", p {p:.3}"));
                add(
                    format!(
                        "{metric} {} is not worse than {id}'s {} by more than {} on {rows} rows that {} ({} {}{chance})",
                        shown(value),
                        shown(other),
                        percent(most),
                        if compared.is_walked {
                            "both predicted from what was known before"
                        } else {
                            "neither trained on"
                        },
                        percent(gain.abs()),
                        if gain < 0.0 { "worse" } else { "better" }
                    ),
                    -gain <= most,
                );
            }
            (None, Some(reason)) => {
                add(format!("{metric}: not compared with the approved model: {reason}"), true);
            }
            (None, None) => add(format!("{metric}: there is no approved model to compare with"), true),
        }
    }
    verdicts
}

fn shown(value: f64) -> String {
    format!("{value:.6}").trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}
