use std::borrow::Cow;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

use failure::{Failure, Outcome};
use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, Deserializer, ValueDeserializer};

use crate::{About, Recipe, text};

/// More files in a row that extend each other are a mistake, or links that lead back to themselves.
const DEEPEST: usize = 32;

/// A recipe's file and the files that it extends, merged but not yet validated.
///
/// The layers stand in the order in which they are laid over each other: each once, after every layer that it extends,
/// and the recipe itself last.
#[derive(Debug)]
pub struct Layers {
    layers: Vec<Layer>,
    /// What the recipe itself extends, as it says it.
    extends: Vec<String>,
}

/// One file.
#[derive(Debug)]
struct Layer {
    /// What it is read by; none for a text that is not in a file.
    path: Option<PathBuf>,
    /// The same without detours: which file it is.
    identity: PathBuf,
    /// Its name relative to the recipe's folder.
    shown: String,
    text: String,
    /// The place of its first byte if all texts stood one behind the other. Each value of the merged table keeps its
    /// span in that, which says layer and line.
    start: usize,
}

/// A file that extends others, while those are read.
struct Open {
    path: PathBuf,
    identity: PathBuf,
}

impl Layers {
    /// Reads the recipe at `path` and what it extends. `read` gives the text of a file: this crate does no I/O.
    pub fn load(path: &Path, mut read: impl FnMut(&Path) -> Outcome<String>) -> Outcome<Layers> {
        let mut layers = Layers { layers: Vec::new(), extends: Vec::new() };
        let text = read(path)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        layers.add(path.to_owned(), text, folder, &mut Vec::new(), &mut read)?;
        Ok(layers)
    }

    /// Adds a file after all that it extends.
    fn add(
        &mut self,
        path: PathBuf,
        text: String,
        root: &Path,
        open: &mut Vec<Open>,
        read: &mut dyn FnMut(&Path) -> Outcome<String>,
    ) -> Outcome {
        let extends = extends(&text).map_err(|failure| failure.at(path.display()))?;
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        open.push(Open { identity: without_detours(&path), path: path.clone() });
        for name in &extends {
            let line = suggestion::line_of(&text, name.span().start);
            let wrong = |reason: String| {
                Failure::config(format!("{}: line {line}: [recipe] extends {reason}", path.display()))
            };
            let target = folder.join(name.get_ref());
            let identity = without_detours(&target);
            if let Some(at) = open.iter().position(|file| file.identity == identity) {
                return Err(wrong(circle(&open[at..], &target)));
            }
            if self.layers.iter().any(|layer| layer.identity == identity) {
                continue;
            }
            if open.len() >= DEEPEST {
                return Err(wrong(format!(
                    "{}: {DEEPEST} files in a row extend each other already (does a link lead back?)",
                    target.display()
                )));
            }
            let extended = read(&target).map_err(|failure| {
                let kind = failure.kind();
                Failure::new(kind, wrong(format!("{:?}: {failure}", name.get_ref())).to_string())
            })?;
            self.add(target, extended, root, open, read)?;
        }
        let own = open.pop();
        if open.is_empty() {
            self.extends = extends.into_iter().map(Spanned::into_inner).collect();
        }
        let shown = path.strip_prefix(root).unwrap_or(&path);
        let shown = without_detours(shown).display().to_string();
        let identity = own.map(|own| own.identity).unwrap_or_default();
        self.push(Layer { path: Some(path), identity, shown, text, start: 0 });
        Ok(())
    }

    fn push(&mut self, layer: Layer) {
        let start = self.layers.last().map_or(0, |last| last.start + last.text.len() + 1);
        self.layers.push(Layer { start, ..layer });
    }

    /// Parses and validates what the layers are together.
    pub fn recipe(&self) -> Outcome<Recipe> {
        let mut merged = self.merged()?;
        let sha256 = match self.layers.as_slice() {
            [only] => fingerprint::of(&only.text),
            _ => fingerprint::of(text::canonical(merged.get_ref())),
        };
        self.put_extends_back(merged.get_mut());
        if let Some(about) = merged.get_ref().get("recipe") {
            // First: where `extends` is misspelt, much is missing, and that is not what is wrong.
            About::deserialize(ValueDeserializer::from(about.clone()))
                .map_err(|error| self.explain(&error))?;
        }
        let recipe = Recipe::deserialize(Deserializer::from(merged));
        let mut recipe = recipe.map_err(|error| self.explain(&error))?;
        recipe.sha256 = sha256;
        recipe.add_history_columns();
        recipe.validate().map_err(|failure| self.whole(failure))?;
        Ok(recipe)
    }

    /// The merged recipe as TOML in which a comment names the file that each value is from.
    pub fn text_with_origins(&self) -> Outcome<String> {
        let origin = |start: usize| self.at(start).map_or("", |layer| layer.shown.as_str());
        Ok(text::with_origins(self.merged()?.get_ref(), &origin))
    }

    /// All layers in one table; `extends`, which has been followed, is not in it.
    fn merged(&self) -> Outcome<Spanned<DeTable<'_>>> {
        let mut merged = Spanned::new(0..0, DeTable::new());
        for layer in &self.layers {
            let table = DeTable::parse(&layer.text).map_err(|error| layer.wrong(&error))?;
            let span = moved(table.span(), layer.start);
            let mut table = shifted(table.into_inner(), layer.start);
            if let Some(DeValue::Table(about)) = table.get_mut("recipe").map(Spanned::get_mut) {
                about.remove("extends");
            }
            let merged_so_far = std::mem::take(merged.get_mut());
            merged = Spanned::new(span, self.laid_over(merged_so_far, table, "")?);
        }
        Ok(merged)
    }

    /// Tables are merged; everything else replaces what was there.
    fn laid_over<'a>(&self, mut below: DeTable<'a>, above: DeTable<'a>, place: &str) -> Outcome<DeTable<'a>> {
        for (key, value) in above {
            let Some((there, old)) = below.remove_entry(&key) else {
                below.insert(key, value);
                continue;
            };
            let name = format!("{place}{}", key.get_ref());
            let (old_span, span) = (old.span(), value.span());
            let value = match (old.into_inner(), value.into_inner()) {
                (DeValue::Table(old), DeValue::Table(new)) => {
                    DeValue::Table(self.laid_over(old, new, &format!("{name}."))?)
                }
                (old, new) if old.is_table() != new.is_table() => {
                    let (new, other) = if new.is_table() { ("", "not ") } else { ("not ", "") };
                    return Err(Failure::config(format!(
                        "{}{name:?} is {new}a table here, but {other}one in {} (rename one of the two)",
                        self.place(key.span().start),
                        self.place(there.span().start.min(old_span.start)).trim_end_matches(": ")
                    )));
                }
                (_, new) => new,
            };
            below.insert(key, Spanned::new(span, value));
        }
        Ok(below)
    }

    /// For serde: a misspelt `extends` has to be told from the keys of `[recipe]`, of which it is one.
    fn put_extends_back(&self, merged: &mut DeTable<'_>) {
        if let Some(DeValue::Table(about)) = merged.get_mut("recipe").map(Spanned::get_mut) {
            let name = |name: &String| Spanned::new(0..0, DeValue::String(Cow::Owned(name.clone())));
            let names: DeArray<'_> = self.extends.iter().map(name).collect();
            about.insert(
                Spanned::new(0..0, Cow::Borrowed("extends")),
                Spanned::new(0..0, DeValue::Array(names)),
            );
        }
    }

    fn at(&self, start: usize) -> Option<&Layer> {
        self.layers.iter().rev().find(|layer| layer.start <= start)
    }

    /// An error in the merged table.
    fn explain(&self, error: &toml::de::Error) -> Failure {
        let message = suggestion::explained(error.message());
        match error.span() {
            Some(span) => Failure::config(format!("{}{message}", self.place(span.start))),
            None => self.whole(Failure::config(message)),
        }
    }

    /// File and line of a byte, to be put in front of a message.
    fn place(&self, start: usize) -> String {
        let Some(layer) = self.at(start) else { return String::new() };
        let line = suggestion::line_of(&layer.text, start - layer.start);
        match &layer.path {
            Some(path) => format!("{}: line {line}: ", path.display()),
            None => format!("line {line}: "),
        }
    }

    /// A failure of the recipe as a whole.
    fn whole(&self, failure: Failure) -> Failure {
        let Some(path) = self.layers.last().and_then(|layer| layer.path.as_ref()) else { return failure };
        let path = path.display();
        if self.layers.len() == 1 {
            return failure.at(path);
        }
        let words = format!("{path}: {failure} (`model recipe {path}` shows from which file each value is)");
        Failure::new(failure.kind(), words)
    }
}

impl Layer {
    fn wrong(&self, error: &toml::de::Error) -> Failure {
        let failure = Failure::config(suggestion::toml_error(&self.text, error));
        match &self.path {
            Some(path) => failure.at(path.display()),
            None => failure,
        }
    }
}

impl Recipe {
    /// Reads the recipe at `path` with the files that it extends, merges, parses and validates it. `read` gives the text
    /// of a file. The failure (exit 78) says file and line where TOML knows them.
    pub fn load(path: &Path, read: impl FnMut(&Path) -> Outcome<String>) -> Outcome<Recipe> {
        Layers::load(path, read)?.recipe()
    }
}

impl FromStr for Recipe {
    type Err = Failure;

    /// Parses and validates a text that extends nothing: only a file says where other files are.
    fn from_str(text: &str) -> Result<Recipe, Failure> {
        if let Some(name) = extends(text)?.first() {
            return Err(Failure::config(format!(
                "line {}: [recipe] extends {:?}: a recipe that extends others is read from its file",
                suggestion::line_of(text, name.span().start),
                name.get_ref()
            )));
        }
        let mut layers = Layers { layers: Vec::new(), extends: Vec::new() };
        let text = text.to_owned();
        layers.push(Layer { path: None, identity: PathBuf::new(), shown: String::new(), text, start: 0 });
        layers.recipe()
    }
}

/// What a text extends.
fn extends(text: &str) -> Outcome<Vec<Spanned<String>>> {
    let bad = |error: &toml::de::Error| Failure::config(suggestion::toml_error(text, error));
    let table = DeTable::parse(text).map_err(|error| bad(&error))?;
    let about = table.get_ref().get("recipe").map(Spanned::get_ref).and_then(DeValue::as_table);
    let Some(extends) = about.and_then(|about| about.get("extends")) else { return Ok(Vec::new()) };
    let is_name =
        |value: &Spanned<DeValue<'_>>| value.get_ref().as_str().is_some_and(|name| !name.is_empty());
    match extends.get_ref() {
        DeValue::Array(names) if names.iter().all(is_name) => Ok(names
            .iter()
            .map(|name| Spanned::new(name.span(), name.get_ref().as_str().unwrap_or_default().to_owned()))
            .collect()),
        _ => Err(Failure::config(format!(
            "line {}: [recipe] extends is a list of files, like [\"shared.toml\"]",
            suggestion::line_of(text, extends.span().start)
        ))),
    }
}

/// In words, how the first of these files, which extend each other, comes to extend itself.
fn circle(open: &[Open], target: &Path) -> String {
    match open {
        [_] => format!("{}: a file cannot extend itself", target.display()),
        _ => {
            let files: Vec<String> = open.iter().map(|file| file.path.display().to_string()).collect();
            format!(
                "{}, which extends it: {} -> {} (remove one of these)",
                target.display(),
                files.join(" -> "),
                target.display()
            )
        }
    }
}

/// A path without `.` and `x/..`: the same file by another name is the same file.
fn without_detours(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if matches!(plain.components().next_back(), Some(Component::Normal(_))) => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}

fn moved(span: Range<usize>, by: usize) -> Range<usize> {
    span.start + by..span.end + by
}

/// The table with all spans moved.
fn shifted(table: DeTable<'_>, by: usize) -> DeTable<'_> {
    let mut moved_table = DeTable::new();
    for (key, value) in table {
        let key_span = moved(key.span(), by);
        moved_table.insert(Spanned::new(key_span, key.into_inner()), shifted_value(value, by));
    }
    moved_table
}

fn shifted_value(value: Spanned<DeValue<'_>>, by: usize) -> Spanned<DeValue<'_>> {
    let span = moved(value.span(), by);
    let value = match value.into_inner() {
        DeValue::Table(table) => DeValue::Table(shifted(table, by)),
        DeValue::Array(array) => {
            DeValue::Array(array.into_iter().map(|value| shifted_value(value, by)).collect())
        }
        other => other,
    };
    Spanned::new(span, value)
}
