//! Reads the rows of a request with no tree of values in between, and predicts all of them together.

use serde::Deserializer;
use serde_json::error::Category;

use crate::models::model::LoadedModel;
use crate::scoring::deserialize::Body;
use crate::scoring::faults::Refused;
use crate::scoring::parallel;
use crate::scoring::reader::Reader;
use crate::scoring::scored::Scored;

/// Predicts every row of a body of at most so many, an object or an array of them, or says everything that is wrong with it. Also whether
/// it is an array.
pub(crate) fn score<'a>(
    loaded: &'a LoadedModel,
    most: usize,
    text: &str,
) -> Result<(Scored, bool), Refused<'a>> {
    // What is wrong is said by reading the whole: it knows the lines and the rows.
    let pieces = parallel::read(text, |piece| whole(loaded, most, piece).ok().map(|(scored, _)| scored));
    let joined = pieces.map(|pieces| {
        let mut all = Scored::default();
        pieces.into_iter().for_each(|scored| all.append(scored));
        all
    });
    match joined {
        Some(scored) if scored.values.len() <= most * loaded.features().len() => Ok((scored, true)),
        _ => whole(loaded, most, text),
    }
}

fn whole<'a>(loaded: &'a LoadedModel, most: usize, text: &str) -> Result<(Scored, bool), Refused<'a>> {
    let mut reader = Reader::new(loaded, most);
    let mut json = serde_json::Deserializer::from_str(text);
    let read = json.deserialize_any(Body(&mut reader)).and_then(|()| json.end());
    match read {
        _ if reader.too_many => Err(Refused::TooManyRows(most)),
        Err(error) if error.classify() == Category::Data => Err(Refused::NotRows),
        Err(error) => Err(Refused::NotJson(match reader.reading {
            Some(at) => {
                format!("the body is not JSON: {error}, where {:?} is given", loaded.features()[at].name)
            }
            None => format!("the body is not JSON: {error}"),
        })),
        Ok(()) => {
            let is_array = reader.index.is_some();
            Ok((reader.finish()?, is_array))
        }
    }
}
