use diagnostics::{plural, say};
use failure::{Failure, Outcome};
use http_client::Deadline;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::Format;
use crate::api::{Answer, Api, json_or_nothing};
use crate::event;
use crate::identity::Identity;
use crate::output::Output;
use crate::source::Source;
use crate::whole_number::whole_number;

#[derive(Debug, Deserialize)]
struct OnlyTour {
    tour: String,
}

/// One line of the event list as DataGolf writes it.
#[derive(Debug, Deserialize)]
struct Listed {
    tour: String,
    #[serde(deserialize_with = "whole_number")]
    calendar_year: i64,
    #[serde(deserialize_with = "whole_number")]
    event_id: i64,
    event_name: String,
    date: String,
    sg_categories: String,
    traditional_stats: String,
}

/// Fetches the event list and writes the events of the source.
pub(crate) fn events(api: &Api, source: &Source, format: Format) -> Outcome {
    let parameters: Vec<(&str, &str)> = source.tour.iter().map(|tour| ("tour", tour.as_str())).collect();
    let answer =
        api.call("historical-raw-data/event-list", &parameters, &Deadline::none(), json_or_nothing)?;
    let body = match answer {
        Answer::Body(body) => body,
        Answer::NotInArchive(words) => return Err(Failure::data(format!("event-list: refused: {words}"))),
        Answer::Failing(reason) => return Err(Failure::unavailable(format!("{reason}; try later"))),
        Answer::OutOfTime => return Ok(()),
    };
    let listed: Vec<&RawValue> = serde_json::from_slice(&body).map_err(|error| {
        Failure::unavailable(format!("event-list: the answer is not a list of events: {error}; try later"))
    })?;
    let all = listed.len();
    let mut wanted = Vec::with_capacity(all);
    for text in listed {
        // Only what is wanted has to make sense: an odd row of another tour is no reason to store nothing.
        let tour = serde_json::from_str::<OnlyTour>(text.get()).map(|only| only.tour).unwrap_or_default();
        if source.tour.as_ref().is_some_and(|wanted| *wanted != tour) {
            continue;
        }
        let event: Listed = serde_json::from_str(text.get())
            .map_err(|error| Failure::data(format!("event-list: {}: {error}", text.get())))?;
        let place =
            |reason: String| Failure::data(format!("event-list: {}: {reason}", event.event_name.trim()));
        Identity::new(&event.tour, event.calendar_year, event.event_id).map_err(place)?;
        if !clock::is_date(event.date.as_bytes()) {
            return Err(place(format!("date {:?} is not like 2025-06-15", event.date)));
        }
        let full = event.sg_categories == "yes" && event.traditional_stats == "yes";
        if full || !source.full_stats {
            wanted.push(event);
        }
    }
    if wanted.is_empty() {
        let of = source.tour.as_ref().map_or_else(String::new, |tour| format!(" of tour {tour:?}"));
        let full = if source.full_stats { " with full stats" } else { "" };
        return Err(Failure::data(format!(
            "event-list: none of {all} listed events is{of}{full}: is the tour right?"
        )));
    }
    write(&wanted, format)?;
    say!("{} of {all} listed", plural(wanted.len() as u64, "event"));
    Ok(())
}

fn write(events: &[Listed], format: Format) -> Outcome {
    let mut output = Output::open(format)?;
    if format == Format::Csv {
        let columns = [
            "tour",
            "calendar_year",
            "event_id",
            "event_name",
            "event_completed",
            "sg_categories",
            "traditional_stats",
        ];
        output.record(&columns)?;
    }
    for (at, event) in events.iter().enumerate() {
        let (year, id) = (event.calendar_year.to_string(), event.event_id.to_string());
        match format {
            Format::Csv => output.record(&[
                &event.tour,
                &year,
                &id,
                &event.event_name,
                &event.date,
                &event.sg_categories,
                &event.traditional_stats,
            ])?,
            Format::Wire => {
                let identity = Identity {
                    tour: event.tour.clone(),
                    calendar_year: event.calendar_year,
                    event_id: event.event_id,
                };
                let listed = event::Listed {
                    event_name: event.event_name.clone(),
                    event_completed: event.date.clone(),
                    sg_categories: event.sg_categories.clone(),
                    traditional_stats: event.traditional_stats.clone(),
                };
                output.line(&listed.line(&identity, at as u64 + 1, events.len() as u64))?;
            }
        }
    }
    output.finish()
}
