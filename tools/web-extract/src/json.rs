use std::borrow::Cow;

use jaq_core::load::{Arena, File, Loader};
use jaq_core::{Compiler, Ctx, Filter, Vars, data, unwrap_valr};
use jaq_json::{Num, Val, read};

use crate::cell::Cell;
use crate::plan::Member;

/// A compiled jq program. It has no environment, no clock, no further input and no way out.
pub(crate) struct Program {
    filter: Filter<data::JustLut<Val>>,
}

/// Filters that look outside of the answer, or end the program.
const OUTSIDE: [&str; 14] = [
    "env",
    "now",
    "input",
    "inputs",
    "halt",
    "halt_error",
    "debug",
    "debug_empty",
    "stderr",
    "stderr_empty",
    "input_filename",
    "localtime",
    "strflocaltime",
    "mktime_local",
];

impl Program {
    pub(crate) fn new(code: &str) -> Result<Program, String> {
        let defs = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
        let defs = defs.filter(|def| !OUTSIDE.contains(&def.name));
        let funs = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
        let funs = funs.filter(|(name, _, _)| !OUTSIDE.contains(name));
        if ["import", "include"].iter().any(|word| code.trim_start().starts_with(word)) {
            return Err(
                "the jq program cannot be compiled: it stands for itself, without import and include"
                    .to_owned(),
            );
        }
        let arena = Arena::default();
        let modules = Loader::new(defs)
            .load(&arena, File { code, path: () })
            .map_err(|errors| format!("the jq program cannot be read: {}", first(&errors)))?;
        let filter = Compiler::default()
            .with_funs(funs)
            .compile(modules)
            .map_err(|errors| format!("the jq program cannot be compiled: {}", names(&errors)))?;
        Ok(Program { filter })
    }

    /// Gives each object that the program makes of a body to `each`: its cells, and itself. An error of the program, or
    /// of `each`, ends it.
    pub(crate) fn run(
        &self,
        body: &Val,
        members: &[Member],
        mut each: impl FnMut(&[Cell<'_>], &Val) -> Result<(), String>,
    ) -> Result<(), String> {
        let ctx = Ctx::<data::JustLut<Val>>::new(&self.filter.lut, Vars::new([]));
        let wanted: Vec<Vec<Val>> = members
            .iter()
            .map(|member| member.names.iter().map(|name| Val::from(name.clone())).collect())
            .collect();
        let (mut seen, mut records) = (vec![false; members.len()], 0_u64);
        for made in self.filter.id.run((ctx, body.clone())).map(unwrap_valr) {
            let made = made.map_err(|error| format!("the jq program says: {error}"))?;
            let Val::Obj(object) = &made else {
                return Err(format!("the jq program makes {}, and rows are objects", kind(&made)));
            };
            records += 1;
            let mut cells: Vec<Cell<'_>> = Vec::with_capacity(wanted.len());
            for (names, seen) in wanted.iter().zip(&mut seen) {
                let found = names.iter().find_map(|name| object.get(name));
                *seen |= found.is_some();
                cells.push(found.map_or(Cell::Null, cell));
            }
            each(&cells, &made)?;
        }
        let missing = members.iter().zip(&seen).find(|(member, seen)| !member.optional && !**seen);
        match missing.filter(|_| records > 0) {
            // A name that is never there is a slip, or the answer changed.
            Some((member, _)) => Err(format!(
                "no object has a member {:?} (if it may be missing: optional = true)",
                member.names.join(" or ")
            )),
            None => Ok(()),
        }
    }
}

/// JSON, parsed.
pub(crate) fn parse(body: &[u8]) -> Result<Val, String> {
    check_depth(body)?;
    std::str::from_utf8(body).map_err(|error| format!("not JSON: {error}"))?;
    read::parse_single(body).map_err(|error| format!("not JSON: {error}"))
}

/// More lists and objects than this no body nests: each takes a part of the stack.
const MOST_DEPTH: usize = 250_000;

/// Refuses a body that nests more deeply, before it is parsed.
fn check_depth(body: &[u8]) -> Result<(), String> {
    let (mut depth, mut at) = (0_usize, 0_usize);
    while let Some(&byte) = body.get(at) {
        at += 1;
        match byte {
            b'[' | b'{' => {
                depth += 1;
                if depth > MOST_DEPTH {
                    return Err(format!("it nests more than {MOST_DEPTH} lists and objects"));
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => {
                // To the end of the text.
                while let Some(found) = memchr::memchr2(b'"', b'\\', &body[at..]) {
                    at += found + 1;
                    if body[at - 1] == b'"' {
                        break;
                    }
                    at = (at + 1).min(body.len());
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn cell(value: &Val) -> Cell<'_> {
    match value {
        Val::Null => Cell::Null,
        Val::Bool(value) => Cell::Text(Cow::Borrowed(if *value { "true" } else { "false" })),
        Val::Num(Num::Int(value)) => Cell::Integer(*value as i64),
        Val::Num(Num::Float(value)) => Cell::Number(*value),
        // As it was written: a text of 2.10 is not 2.1.
        Val::Num(Num::Dec(text)) => Cell::Text(Cow::Borrowed(text.as_str())),
        Val::Num(Num::BigInt(value)) => Cell::Text(Cow::Owned(value.to_string())),
        Val::TStr(text) | Val::BStr(text) => Cell::Text(String::from_utf8_lossy(text)),
        Val::Arr(_) | Val::Obj(_) => Cell::Nested,
    }
}

fn kind(value: &Val) -> &'static str {
    match value {
        Val::Null => "null",
        Val::Bool(_) => "true or false",
        Val::Num(_) => "a number",
        Val::TStr(_) | Val::BStr(_) => "a text",
        Val::Arr(_) => "a list",
        Val::Obj(_) => "an object",
    }
}

/// The first of what is wrong with a program's text.
fn first<P>(errors: &jaq_core::load::Errors<&str, P>) -> String {
    use jaq_core::load::Error;
    let Some((_, error)) = errors.first() else { return String::new() };
    let near = |text: &str| {
        if text.is_empty() {
            "its end".to_owned()
        } else {
            format!("{:?}", text.chars().take(40).collect::<String>())
        }
    };
    match error {
        Error::Io(files) => files.first().map(|(_, error)| error.clone()).unwrap_or_default(),
        Error::Lex(errors) => errors
            .first()
            .map(|(expected, text)| format!("{} is expected at {}", expected.as_str(), near(text)))
            .unwrap_or_default(),
        Error::Parse(errors) => errors
            .first()
            .map(|(expected, text)| format!("{} is expected at {}", expected.as_str(), near(text)))
            .unwrap_or_default(),
    }
}

/// The names that a program uses and nobody knows.
fn names<P>(errors: &jaq_core::compile::Errors<&str, P>) -> String {
    let all =
        errors.iter().flat_map(|(_, errors)| errors.iter().map(|(name, _)| format!("there is no {name}")));
    all.collect::<Vec<_>>().join(", ")
}
